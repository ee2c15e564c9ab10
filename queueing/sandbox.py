"""Rights and resources that a process takes from itself, for good.

`limit` sets resource limits. `restrict` takes away the rights to files, the network and other processes, as far as the
kernel knows how, and returns what it has taken: by Landlock (files, TCP; `landlock.py`) and seccomp (`seccomp.py`).
`Restriction` is the same in two steps, for a process that has time before it has to be quick.

Call `restrict` before the process has a second thread: Landlock binds the calling thread and those that it starts.
"""

import ctypes
import math
import os
import resource
import signal
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import ModuleType

from queueing import seccomp
from queueing.landlock import Ruleset

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
    return Restriction(read=read, write=write, network=network, processes=processes).take()


class Restriction:
    """The rights that `restrict` takes, made ready by the very process that takes them; nothing is taken yet."""

    def __init__(
        self, *, read: Iterable[Path] | None, write: Iterable[Path] | None, network: bool, processes: bool
    ) -> None:
        self._network, self._processes = network, processes
        self._lacks_rules = False
        self._rules: Ruleset | None = None
        self._filter: seccomp.Filter | None = None
        if sys.platform != "linux":
            return
        try:
            self._rules = Ruleset.make(
                LIBC, reading=read is not None, writing=write is not None, network=network, processes=processes
            )
        except OSError:
            self._lacks_rules = True
        if self._rules is not None:
            for path in read or ():
                self._rules.leave_reading(path)
        for path in write or ():
            self.leave(path)
        if not (network and processes):
            self._filter = seccomp.make(LIBC, sockets=not network, processes=not processes)

    @property
    def is_whole(self) -> bool:
        """False if something was not to be had when it was made, a descriptor for instance: made later it may be."""
        return not self._lacks_rules and (self._rules is None or self._rules.is_whole)

    def leave(self, path: Path) -> None:
        """Leave one more path open for writing."""
        if self._rules is not None:
            self._rules.leave_writing(path)

    def take(self) -> frozenset[str]:
        """Take the rights, once. Returns as `restrict`."""
        if sys.platform != "linux":
            return frozenset()
        taken = {PRIVILEGES} if LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 else set()
        if (rules := self._rules) is not None:
            if rules.enforce():
                taken |= {name for name, takes in ((FILES, rules.takes_files), (TCP, rules.takes_tcp)) if takes}
            self.drop()
        if self._filter is not None and self._filter.enforce():
            taken |= {name for name, left in ((SOCKETS, self._network), (PROCESSES, self._processes)) if not left}
        if not self._processes and PROCESSES not in taken and os.geteuid():
            lower(resource.RLIMIT_NPROC, 0)  # it counts all processes of this user, never root's
        return frozenset(taken)

    def drop(self) -> None:
        """Close what is open for it."""
        if self._rules is not None:
            self._rules.close()
            self._rules = None


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
