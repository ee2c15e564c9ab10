"""Nothing of a test run outlives it, however it ended: its servers end with it, and the next run deletes its folder."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil

from queueing.sandbox import end_with_parent

PREFIX = "client-queue-tests-"
LOCK = "lock"  # a file in each folder. Its run holds a POSIX lock on it, which a forked process does not inherit


def with_parent() -> Callable[[], None]:
    """For `preexec_fn` of a server: the kernel kills it when the thread that has started it ends, killed or not."""
    return partial(end_with_parent, os.getpid())


def new_folder() -> Path:
    """A folder for this run, after the folders of runs that were killed have been deleted."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if _is_left(folder):
            _end_postgres(folder)
            shutil.rmtree(folder, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = os.open(folder / "new", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC)  # open as long as this process
    fcntl.lockf(lock, fcntl.LOCK_EX)
    (folder / "new").rename(folder / LOCK)  # so another run never finds it without its lock
    return folder


def _is_left(folder: Path) -> bool:
    """True if the folder had a run, and nobody holds its lock."""
    try:
        with (folder / LOCK).open("r+") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _end_postgres(folder: Path) -> None:
    """PostgreSQL is a daemon, whose parent is not the run."""
    with suppress(OSError, ValueError, psutil.Error):
        process = psutil.Process(int((folder / "postgres/postmaster.pid").read_text().split()[0]))
        if str(folder) in " ".join(process.cmdline()):
            process.kill()
            process.wait(10)
