"""Rights and resources that a process takes from itself, for good.

`limit` sets resource limits. `restrict` takes away the rights to files, the network and other processes, as far as the
kernel knows how, and returns what it has taken. The rights go by Landlock (files, TCP) and seccomp (`seccomp.py`), both
called directly: no package for Landlock is kept up.

Call `restrict` before the process has a second thread: Landlock binds the calling thread and those that it starts.
"""

import ctypes
import math
import os
import resource
import signal
import struct
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import ModuleType

from queueing import seccomp

SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache")  # where shared libraries and time zones are
PR_SET_PDEATHSIG = 1  # prctl(2): the signal that a process gets when the thread that made it has ended
PR_SET_NAME = 15  # prctl(2): the name of the calling thread; that of the first one stands for the process
PR_SET_NO_NEW_PRIVS = 38  # prctl(2): no program started from here gets more rights, set-user-id or not
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long

# The names that `restrict` may return.
PRIVILEGES = "new privileges"  # set-user-id programs, capabilities of files
FILES = "files"  # every path that is not named; files that are open stay so
TCP = "TCP"  # bind and connect, on sockets that the process gets in any way
SOCKETS = "sockets"  # new sockets of any kind
PROCESSES = "processes"  # new processes and programs, signals to others, the memory of others

# Landlock (linux/landlock.h): system calls, and rights by the version of the interface that brought them.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_FLAG, PATH_BENEATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
READING = EXECUTE | READ_FILE | READ_DIR
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
WRITING_SINCE = {1: WRITE_FILE | sum(1 << bit for bit in range(4, 13)), 2: REFER, 3: TRUNCATE, 5: IOCTL_DEV}
RIGHTS_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV  # the others are about folders
BIND_AND_CONNECT, TCP_SINCE = 0b11, 4
SCOPE_SOCKETS, SCOPE_SIGNALS, SCOPES_SINCE = 0b01, 0b10, 6


def end_with_parent(parent_pid: int) -> None:
    """The kernel kills this process when the thread that started it ends."""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # the parent died before the call
        os._exit(1)


def limit(
    *,
    memory: int | None = None,
    cpu: float | None = None,
    file_size: int | None = None,
    open_files: int | None = None,
) -> None:
    """Set resource limits of this process, and switch off core dumps.

    `memory` is in bytes of address space, beyond what is mapped now; `cpu` in seconds, beyond what was used.
    `file_size` is the largest size to which a file can be written; 0 forbids every write. The limit on `cpu` can be
    set again, for the next piece of work; the others never go up.
    """
    forbid_dumps()
    if memory is not None and (mapped := _mapped()):
        lower(resource.RLIMIT_AS, mapped + memory)
    if file_size is not None:
        lower(resource.RLIMIT_FSIZE, file_size)
    if open_files is not None:
        lower(resource.RLIMIT_NOFILE, open_files)
    if cpu is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used.ru_utime + used.ru_stime + cpu), hard))


def name_process(name: str) -> None:
    """The name of this process in the lists of ps and top: at most 15 letters."""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_NAME, name.encode(), 0, 0, 0)


def forbid_dumps() -> None:
    """Switch off core dumps: they would hold what visitors have handed in."""
    # A limit of 0, the usual one, would still start a program that takes dumps (core(5)). With 1 the kernel drops them.
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    value = 1 if hard == resource.RLIM_INFINITY else min(1, hard)
    resource.setrlimit(resource.RLIMIT_CORE, (value, value))


def lower(kind: int, value: int, *, grace: int = 0) -> None:
    """Set a limit of resource(3), unless there is a lower one already. The hard limit is higher by `grace`."""
    soft, hard = resource.getrlimit(kind)
    bounds = [(value, soft), (value + grace, hard)]
    wanted_soft, wanted_hard = (new if old == resource.RLIM_INFINITY else min(new, old) for new, old in bounds)
    resource.setrlimit(kind, (wanted_soft, wanted_hard))


def restrict(
    *, read: Iterable[Path] | None, write: Iterable[Path] | None, network: bool, processes: bool
) -> frozenset[str]:
    """Take rights from this process. Returns which: of PRIVILEGES, FILES, TCP, SOCKETS, PROCESSES.

    `read` and `write` name the folders and files that stay open to it, with everything below them; None means all, and
    a missing one counts for nothing. `network=False` forbids sockets, and signals to all but its own children;
    `processes=False` to start or touch others.
    """
    if sys.platform != "linux":
        return frozenset()
    taken = {PRIVILEGES} if LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 else set()
    taken |= _landlock(read, write, network=network, processes=processes)
    if not (network and processes) and seccomp.forbid(LIBC, sockets=not network, processes=not processes):
        taken |= {name for name, is_allowed in ((SOCKETS, network), (PROCESSES, processes)) if not is_allowed}
    if not processes and PROCESSES not in taken and os.geteuid():  # it counts all processes of this user, never root's
        lower(resource.RLIMIT_NPROC, 0)
    return frozenset(taken)


@cache
def code_paths() -> frozenset[Path]:
    """The paths of code: Python, shared libraries, and the packages that this process has loaded by now."""
    python = {Path(prefix) for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, *SYSTEM)}
    loaded = list(sys.modules.values())  # a copy: to ask a lazy module for its file may import further ones
    own = set(map(_path_of, _with_file(loaded)))
    return frozenset(python) | {path for path in own if not any(path.is_relative_to(prefix) for prefix in python)}


def _with_file(modules: Iterable[ModuleType]) -> list[ModuleType]:
    return [module for module in modules if getattr(module, "__file__", None)]


def _path_of(module: ModuleType) -> Path:
    """The folder of a module of a package; of a module that stands alone its file, whose neighbours are not code."""
    path = Path(str(module.__file__)).absolute()
    return path.parent if module.__package__ else path


def _mapped() -> int:
    """Bytes of address space that this process has now; 0 if the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _landlock(read: Iterable[Path] | None, write: Iterable[Path] | None, *, network: bool, processes: bool) -> set[str]:
    version = _syscall(CREATE_RULESET, None, 0, VERSION_FLAG)
    if version < 1:
        return set()
    writing = sum(rights for since, rights in WRITING_SINCE.items() if version >= since)
    files = (0 if read is None else READING) | (0 if write is None else writing)
    tcp = 0 if network or version < TCP_SINCE else BIND_AND_CONNECT
    # Without a network, the processes that it may start get signals from it, and no others.
    scopes = (0 if network else SCOPE_SOCKETS) | (0 if processes and network else SCOPE_SIGNALS)
    handled = struct.pack("=QQQ", files, tcp, scopes if version >= SCOPES_SINCE else 0)
    if not any(handled):
        return set()
    size = 8 if version < TCP_SINCE else 16 if version < SCOPES_SINCE else 24  # what this kernel knows of it
    rules = _syscall(CREATE_RULESET, handled, size, 0)
    if rules < 0:
        return set()
    try:
        for path in read or ():
            _allow(rules, path, READING & files)
        for path in write or ():
            _allow(rules, path, writing & files)
        if _syscall(RESTRICT_SELF, rules, 0) != 0:
            return set()
    finally:
        os.close(rules)
    return {name for name, is_taken in ((FILES, files), (TCP, tcp)) if is_taken}


def _allow(rules: int, path: Path, rights: int) -> None:
    """Leave the rights to this path, and to everything below it."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rights &= ~0 if path.is_dir() else RIGHTS_OF_FILES
        _syscall(ADD_RULE, rules, PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0)
    finally:
        os.close(descriptor)


def _syscall(number: int, *arguments: int | bytes | None) -> int:
    """The result of a system call; -1 on error."""
    typed = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return int(LIBC.syscall(ctypes.c_long(number), *typed))
