"""One checker, as the web process sees it. Its own program is `child.py`."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.core.files.uploadedfile import UploadedFile

from queueing.checking.messages import Message, receive, send

START_SECONDS = 30  # until a new checker is ready; it imports the forms
DYING_SECONDS = 2  # between the end of its socket and the end of its process
# The only variables of the environment that a checker gets: some Pythons need them to find their own libraries.
PASSED_ON = ("LD_LIBRARY_PATH", "PYTHONHOME")


class NotStarted(Exception):
    """A new checker did not become ready."""


class Checker:
    """A child process that answers one question at a time. It must be made by a thread that lives as long as it."""

    def __init__(self, start: Message) -> None:
        """Start the process, and go on. Raises OSError if the system has no room for it."""
        self.start = start
        self.born = time.monotonic()
        self.checks = 0
        self.taken: frozenset[str] | None = None  # the rights that it has given away; None until it is ready
        self._socket, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = self._spawn(theirs.fileno())
                send(self._socket, start)
            except OSError:
                self._socket.close()
                raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def wait_until_ready(self) -> None:
        """Raises NotStarted."""
        if self.taken is not None:
            return
        try:
            ready = receive(self._socket, time.monotonic() + START_SECONDS)
            self.taken = frozenset(map(str, ready["taken"]))
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise NotStarted(f"A checker did not start: {self._end_of_dying()}.") from error

    def ask(self, question: Message, upload: "UploadedFile[Any]", seconds: float) -> Message:
        """The answer to a question about this file. {"died": why} if none came in time; then the checker has ended."""
        question = question | {"name": upload.name, "type": upload.content_type}
        self.checks += 1
        with descriptor_of(upload) as descriptor:
            try:
                send(self._socket, question, descriptor)
                return receive(self._socket, time.monotonic() + seconds)
            except TimeoutError:
                self.end()
                return {"died": f"no answer within {seconds:g} s"}
            except (OSError, ValueError):
                return {"died": self._end_of_dying()}

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._socket.close()

    def _end_of_dying(self) -> str:
        """Wait a moment for the process to die by itself, and end it. Returns how it ended, in words for the log."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(DYING_SECONDS)
        self.end()
        status = self._process.returncode
        return signal.Signals(-status).name if status < 0 else f"status {status}"

    def _spawn(self, descriptor: int) -> subprocess.Popen[bytes]:
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(str(Path(path).absolute()) for path in sys.path)
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "queueing.checking.child", str(os.getpid()), str(descriptor)],
            env=environment,
            pass_fds=[descriptor],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # libraries write there what a hostile file makes them write
        )


@contextmanager
def descriptor_of(upload: "UploadedFile[Any]") -> Iterator[int]:
    """A descriptor of the upload's content, at its beginning, through which it cannot be changed."""
    with _opened(upload) as file:
        yield file.fileno()


def _opened(upload: "UploadedFile[Any]") -> BinaryIO:
    if path := getattr(upload, "temporary_file_path", None):
        return Path(path()).open("rb", buffering=0)
    file = _memory_file()
    for chunk in upload.chunks():
        file.write(chunk)
    file.seek(0)
    if sys.platform == "linux":
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
    return file


def _memory_file() -> BinaryIO:
    """A file without a name. Where Linux has it, in memory; the disk elsewhere."""
    if not hasattr(os, "memfd_create"):
        return cast("BinaryIO", tempfile.TemporaryFile())
    return os.fdopen(os.memfd_create("upload", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "w+b", buffering=0)
