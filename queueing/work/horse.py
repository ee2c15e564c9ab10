"""The horse: the process that a worker forks for one job. It must end with its worker, or its task would run twice."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2): the signal that a process gets when its parent dies
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
