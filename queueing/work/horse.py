"""The horse: the process that a worker forks for one job. Start, limits and end of it are here.

It must end with its worker, or its task would run twice; and what the task has started must end with the horse.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from queueing.sandbox import LIBC
from queueing.work import proc
from queueing.work.report import Listener

NAME = "rq:horse"  # of the process
KILL_PATIENCE = 10.0  # seconds that a worker waits for the end of the processes that it has killed
CHILDREN = Path("/proc/thread-self/children")
POLL = 0.05  # seconds between two looks for the end of a horse, where the kernel has no descriptor for it
PR_SET_CHILD_SUBREAPER = 36  # prctl(2): descendants whose parent has died become children of this process


class NoHorse(Exception):
    """The machine has no room for a horse: no process, or no descriptor."""


def has_own_group(pid: int) -> bool:
    """True if this horse has left its worker's process group, so that its group can be killed."""
    try:
        return os.getpgid(pid) != os.getpgrp()
    except ProcessLookupError:
        return True


def adopt_orphans() -> None:
    """In a worker, once: processes that a task leaves behind become children of this worker, which ends them."""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)


@contextmanager
def sign_of(pid: int, listener: Listener | None = None) -> Iterator[Callable[[float], bool]]:
    """A function that waits for so many seconds; True when this child has ended, or has said something."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):  # another system, or an old kernel
        yield lambda seconds: has_ended(pid, seconds)
        return
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if listener is not None and listener.is_open:
        poll.register(listener.channel, select.POLLIN)

    def has_come(seconds: float) -> bool:
        found = [number for number, _ in poll.poll(round(seconds * 1000))]
        if listener is not None and listener.channel.fileno() in found and not listener.hear():
            poll.unregister(listener.channel)
        return bool(found)

    try:
        yield has_come
    finally:
        os.close(descriptor)


def has_ended(pid: int, seconds: float = 0) -> bool:
    """True if this child has ended, or ends within so many seconds."""
    deadline = time.monotonic() + seconds
    with suppress(ChildProcessError):
        while not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL)
    return True


def end_left_behind(horse_pid: int, children_before: Collection[int]) -> int:
    """After the end of a horse: kill what its task has left running. Returns how many processes there were.

    First the horse's process group; then all processes that this worker has started or adopted since the horse. A
    process that is killed cannot fork, so it is asked again until there are none.
    """
    if horse_pid:  # 0 would be the worker's own group
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(horse_pid, signal.SIGKILL)
    killed: set[int] = set()
    deadline = time.monotonic() + KILL_PATIENCE
    while (left := family(children_before)) and time.monotonic() < deadline:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed |= left
        reap(left)
        time.sleep(0.005)
    return len(killed)


def is_alone(pid: int, children_before: Collection[int]) -> bool:
    """True if this horse is the only process that this worker has started or adopted since, and has only one thread."""
    with suppress(OSError):
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208  # strings are enough
        return len(threads) == 1 and CHILDREN.exists() and family(children_before) == {pid}
    return False


def reap(pids: Iterable[int]) -> None:
    """Take those of these children that have ended out of the process table."""
    for pid in pids:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def family(children_before: Collection[int]) -> set[int]:
    """The pids of the children that this worker has now and had not before, and of all their descendants."""
    found: set[int] = set()
    nextly = children() - set(children_before)
    while nextly:
        found |= nextly
        nextly = {child for pid in nextly for child in children(pid)} - found
    return found


def children(pid: int | None = None) -> set[int]:
    """The pids of a process's children, by default of this one. psutil would read the whole process table."""
    if not CHILDREN.exists():
        with suppress(psutil.NoSuchProcess):
            return {child.pid for child in psutil.Process(pid).children()}
        return set()
    found: set[int] = set()
    with suppress(OSError):
        for thread in os.listdir(threads := f"/proc/{pid or 'self'}/task"):  # noqa: PTH208  # Path is slow here
            with suppress(OSError):
                found.update(map(int, proc.read(f"{threads}/{thread}/children").split()))
    return found
