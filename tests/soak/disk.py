"""Small disks that can be full: each is a tmpfs, in a mount namespace of the soak's own. That needs root."""

import errno
import os
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

CHUNK = bytes(64 * 1024)
NIBBLE = bytes(4096)  # the least that a file of a tmpfs takes


def enter_own_mounts() -> bool:
    """From now on, what this process mounts is seen by itself and its children alone, and goes with them.

    Only the thread that calls it moves, so no other one may run yet. False: this user may not, or the system does not.
    """
    with suppress(AttributeError, OSError, subprocess.CalledProcessError):
        os.unshare(os.CLONE_NEWNS)
        subprocess.run(["mount", "--make-rprivate", "/"], check=True, capture_output=True)
        return True
    return False


class Disk:
    """A folder; if it is `mounted`, it is a disk of so many MiB, which can be filled."""

    def __init__(self, folder: Path, size: int, *, mounted: bool) -> None:
        self.folder = folder
        folder.mkdir()
        if mounted:
            options = f"size={size}m,mode=0755"
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "soak", str(folder)], check=True)
        self._emptied = threading.Event()
        self._filler: threading.Thread | None = None

    def fill(self) -> None:
        """Take all of the room, and what others give back, until it is emptied."""
        self._emptied.clear()
        self._filler = threading.Thread(target=self._keep_full, daemon=True)
        self._filler.start()

    def empty(self) -> None:
        self._emptied.set()
        if self._filler is not None:
            self._filler.join()

    def is_full(self) -> bool:
        """True if not even a small file has room."""
        file = self.folder / "nibble"
        try:
            file.write_bytes(NIBBLE)
        except OSError as error:
            return error.errno == errno.ENOSPC
        finally:
            file.unlink(missing_ok=True)
        return False

    def _keep_full(self) -> None:
        path = self.folder / "filling"
        with path.open("wb", buffering=0) as file:
            while True:
                for piece in (CHUNK, NIBBLE):
                    with suppress(OSError):
                        while file.write(piece) == len(piece):
                            pass
                if self._emptied.wait(0.02):
                    break
        path.unlink()
