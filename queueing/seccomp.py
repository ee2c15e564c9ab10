"""A seccomp filter (seccomp(2)): system calls that the kernel refuses to this process and its children from now on.

The filter is a list of calls that are refused; every other call passes. A call that is refused gets EPERM, so that a
library sees an error and goes on. On a processor that is not in MACHINES, nothing is filtered.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator

# The code of the processor (linux/audit.h) and the number of seccomp(2).
MACHINES = {"x86_64": (0xC000003E, 317), "aarch64": (0xC00000B7, 277)}
type Calls = dict[str, tuple[int | None, int | None]]

# Refused with processes: the number on x86_64 and on aarch64; None: the processor has no such call.
PROCESS_CALLS: Calls = {
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "setns": (308, 268),
    "unshare": (272, 97),
}
# Allowed only with this process as the first argument: signals.
OWN_CALLS = {"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131)}
# Allowed only with 0, this process itself, as the first argument: limits.
ZERO_CALLS = {"prlimit64": (302, 261)}
CLONE, CLONE3 = (56, 220), (435, 435)
CLONE_THREAD = 0x10000
SOCKET_CALLS: Calls = {
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
}
# Refused with either: they reach around the other rules, or are a large surface that no task needs.
STRANGE_CALLS: Calls = {
    "io_uring_setup": (425, 425),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "mount": (165, 40),
}
X32 = 0x40000000  # calls of x86_64 from here on are those of another interface

# The machine of the filter (linux/bpf_common.h, linux/seccomp.h).
LOAD, IF_EQUAL, IF_AT_LEAST, IF_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER_AT, MACHINE_AT, FIRST_ARGUMENT_AT = 0, 4, 16  # in struct seccomp_data; the lower half of the argument
ALLOW, ERROR = 0x7FFF0000, 0x00050000
SET_MODE_FILTER, ALL_THREADS = 1, 1

type Step = tuple[int, int, int, int]  # code, steps to skip if true, if false, value


class Filter:
    """A filter for this process, made ready."""

    def __init__(self, libc: ctypes.CDLL, number: int, steps: list[Step]) -> None:
        self._libc, self._number = libc, number
        self._program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
        self._described = struct.pack("@HP", len(steps), ctypes.addressof(self._program))

    def enforce(self) -> bool:
        """Refuse these calls from now on. True if the kernel has taken the filter. Needs PR_SET_NO_NEW_PRIVS."""
        typed = map(ctypes.c_long, (self._number, SET_MODE_FILTER, ALL_THREADS))
        return int(self._libc.syscall(*typed, self._described)) == 0


def make(libc: ctypes.CDLL, *, sockets: bool, processes: bool) -> Filter | None:
    """A filter that refuses these calls to the process that makes it. None: nothing is known of this processor."""
    machine = platform.machine()
    if machine not in MACHINES:
        return None
    _, number = MACHINES[machine]
    return Filter(libc, number, list(_steps(machine, sockets=sockets, processes=processes)))


def _steps(machine: str, *, sockets: bool, processes: bool) -> Iterator[Step]:
    code, _ = MACHINES[machine]
    column = list(MACHINES).index(machine)
    yield from [(LOAD, 0, 0, MACHINE_AT), (IF_EQUAL, 1, 0, code), _refuse(), (LOAD, 0, 0, NUMBER_AT)]
    if machine == "x86_64":
        yield from [(IF_AT_LEAST, 0, 1, X32), _refuse()]
    groups: list[Calls] = [STRANGE_CALLS, SOCKET_CALLS if sockets else {}, PROCESS_CALLS if processes else {}]
    for numbers in (pair for group in groups for pair in group.values()):
        if (number := numbers[column]) is not None:
            yield from [(IF_EQUAL, 0, 1, number), _refuse()]
    if processes:
        for calls, value in ((OWN_CALLS, os.getpid()), (ZERO_CALLS, 0)):
            for pair in calls.values():
                yield from _only_if(pair[column], (IF_EQUAL, 1, 0, value))
        yield from _only_if(CLONE[column], (IF_ANY_BIT, 1, 0, CLONE_THREAD))
        # Its flags are in memory, which a filter cannot read. glibc then uses clone instead.
        yield from [(IF_EQUAL, 0, 1, CLONE3[column]), _refuse(errno.ENOSYS)]
    yield (RETURN, 0, 0, ALLOW)


def _only_if(number: int, condition: Step) -> Iterator[Step]:
    """Allow this call if its first argument fits the condition."""
    yield from [(IF_EQUAL, 0, 4, number), (LOAD, 0, 0, FIRST_ARGUMENT_AT), condition, _refuse(), (RETURN, 0, 0, ALLOW)]


def _refuse(error: int = errno.EPERM) -> Step:
    return (RETURN, 0, 0, ERROR | error)
