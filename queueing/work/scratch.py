"""The temporary folder of one horse. Its worker makes it, bounds it, and deletes it when the horse has ended.

The worker holds a lock on the folder. A folder without a lock belongs to a worker that was killed: any worker of the
same machine deletes it.
"""

import fcntl
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

logger = logging.getLogger("queueing")

PREFIX = "queueing-horse-"
ENTRY_BYTES = 16 * 1024  # the least that a file or folder counts; so a million empty files are over the limit, too
BLOCK = 512  # bytes; the unit of st_blocks


class Scratch:
    """A temporary folder that nobody else can open, for one horse."""

    def __init__(self) -> None:
        while not self._is_made():
            pass

    def _is_made(self) -> bool:
        """False if another worker has swept the folder in the moment before it had its lock."""
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        try:
            self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            return False
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        if not self.is_there:
            os.close(self._lock)
            return False
        return True

    @property
    def is_there(self) -> bool:
        """False if somebody has cleaned up: a folder that stands by for long looks forgotten."""
        return self.path.is_dir()

    def delete(self) -> None:
        """Delete the folder, whatever the task has done to it."""
        _delete(self.path)
        os.close(self._lock)

    def size(self, limit: int) -> int:
        """The bytes in the folder; stops counting beyond `limit`."""
        total = 0
        for status in _walk(self.path):
            total += max(status.st_blocks * BLOCK, ENTRY_BYTES)
            if total > limit:
                break
        return total


def size_of_unnamed(pids: Iterable[int]) -> int:
    """The bytes of files that these processes have open and that have no name: in no folder, and still on the disk."""
    sizes: dict[tuple[int, int], int] = {}
    for pid in pids:
        for status in _open_files(pid):
            if stat.S_ISREG(status.st_mode) and not status.st_nlink:
                sizes[status.st_dev, status.st_ino] = status.st_blocks * BLOCK
    return sum(sizes.values())


def sweep() -> int:
    """Delete the folders whose workers were killed; returns their number."""
    count, ours = 0, list[Path]()
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as found:
        ours = [Path(item) for item in found if item.name.startswith(PREFIX)]
    for path in ours:
        with suppress(OSError), _locked(path):
            _delete(path)
            count += 1
    return count


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the folder's lock. Raises OSError if a worker holds it, or if the folder is another user's or a link."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise PermissionError(path)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _delete(path: Path) -> None:
    def open_up(_: Callable[..., Any], name: str, error: BaseException) -> None:
        """A folder of the task without the right to enter or change it."""
        if not isinstance(error, PermissionError):
            return
        with suppress(OSError):
            Path(name).parent.chmod(stat.S_IRWXU)
            if Path(name).is_dir() and not Path(name).is_symlink():
                Path(name).chmod(stat.S_IRWXU)
                shutil.rmtree(name, ignore_errors=True)
            else:
                Path(name).unlink()

    try:
        shutil.rmtree(path, onexc=open_up)
    except (OSError, RecursionError):
        logger.warning("the temporary folder %s cannot be deleted", path, exc_info=True)


def _walk(folder: Path) -> Iterator[os.stat_result]:
    """The status of each file and folder below this one. What vanishes or cannot be read meanwhile is left out."""
    folders: list[str | Path] = [folder]
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as found:
            for item in found:
                with suppress(OSError):
                    yield item.stat(follow_symlinks=False)
                    if item.is_dir(follow_symlinks=False):
                        folders.append(item.path)


def _open_files(pid: int) -> Iterator[os.stat_result]:
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                yield descriptor.stat()
