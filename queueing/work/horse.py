"""The horse: the process that a worker forks for one job. Start, limits and end of it are here.

It must end with its worker, or its task would run twice; and what the task has started must end with the horse.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

import psutil

KILL_PATIENCE = 3.0  # seconds that a worker waits for the end of the processes that it has killed
PR_SET_PDEATHSIG = 1  # prctl(2): the signal that a process gets when its parent dies
PR_SET_CHILD_SUBREAPER = 36  # prctl(2): descendants whose parent has died become children of this process
LIBC = ctypes.CDLL(None, use_errno=True)


def end_with_parent(parent_pid: int) -> None:
    """In a new horse: the kernel kills this process when its worker dies."""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # the worker died before the call
        os._exit(1)


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


def end_left_behind(horse_pid: int, children_before: Collection[int]) -> int:
    """After the end of a horse: kill what its task has left running. Returns how many processes there were.

    First the horse's process group; then the children that this worker has now and had not before the horse. The
    children of a killed child become this worker's, so it is asked again until there are none.
    """
    if horse_pid:  # 0 would be the worker's own group
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(horse_pid, signal.SIGKILL)
    killed: set[int] = set()
    deadline = time.monotonic() + KILL_PATIENCE
    while (left := children() - set(children_before)) and time.monotonic() < deadline:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed |= left
        reap(left)
        time.sleep(0.005)
    return len(killed)


def reap(pids: Iterable[int]) -> None:
    """Take those of these children that have ended out of the process table."""
    for pid in pids:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def children() -> set[int]:
    """The pids of this process's children: one read, where psutil would read the whole process table."""
    tasks = Path("/proc/self/task")
    with suppress(OSError):
        return {int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()}
    return {child.pid for child in psutil.Process().children()}
