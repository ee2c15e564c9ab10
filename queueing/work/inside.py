"""An isolated task, seen from inside: the process that its horse has forked for it. See `isolation.py`.

It runs code that may be taken over by a hostile file. So it gives away everything else before: descriptors, passwords,
sockets, and all files but the code, the input and a folder of its own.
"""

import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from queueing import sandbox
from queueing.exceptions import FilesTooLarge, InsideTransaction, UnusableInput, VisitorLeft
from queueing.parcel import Handed, InputFile
from queueing.values import returned
from queueing.work import forgetting, packets
from queueing.work.saving import body_of

if TYPE_CHECKING:
    from django.core.files.base import File

    from queueing.work.attempt import Running

LARGEST_RESULT = 16 * 1024**2  # bytes of the returned value, as JSON
REPORT_INTERVAL = 0.1  # seconds between two reports to the horse, which has longer intervals of its own
# Characters that are sent. All together stay below the size of a packet, even if each of them takes twelve bytes.
MESSAGE, SENTENCE, CLASS, TRACEBACK = 300, 800, 200, 4000

# The files that libraries read about the machine.
MACHINE = ("/dev/null", "/dev/zero", "/dev/urandom", "/etc/localtime", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices")

ANSWERED = (VisitorLeft, InsideTransaction, FilesTooLarge, UnusableInput, ValueError, OSError)
RAISED: dict[str, type[Exception]] = {kind.__name__: kind for kind in ANSWERED}
JUDGED = (UnusableInput, MemoryError, FilesTooLarge, VisitorLeft)


@dataclass(slots=True, kw_only=True)
class Room:
    """The means of an isolated task's process."""

    folder: Path  # its temporary files
    processes: bool  # whether it may start others
    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    handed: Handed = field(default_factory=lambda: Handed(None, ""))  # the input
    retry_on: tuple[type[Exception], ...] = ()  # as in the HeavyTask

    def restrict(self) -> None:
        """Take all other rights from this process."""
        given = [self.folder, *self.writable]
        inputs = [self.handed.path] if self.handed.path else []
        read = [*sandbox.code_paths(), *map(Path, MACHINE), *self.readable, *inputs, *given]
        sandbox.restrict(read=read, write=[*given, Path(os.devnull)], network=False, processes=self.processes)


def warm_up() -> None:
    """In a worker, before its first fork: what each process would look up again."""
    sandbox.code_paths()
    forgetting.modules_of_settings()


def run(function: "Callable[[Running], Any]", channel: socket.socket, room: Room, horse_pid: int) -> NoReturn:
    """The whole life of the process."""
    try:
        sandbox.end_with_parent(horse_pid)
        _let_go_of_all_but(channel.fileno())
        forgetting.forget_secrets()
        os.environ["TMPDIR"] = tempfile.tempdir = str(room.folder)
        room.restrict()
        _tell_the_end(channel, lambda: function(Remote(channel, room.handed)), room.retry_on)
        os._exit(os.EX_OK)
    except BaseException:  # noqa: BLE001  # no memory is left to tell of, for example
        with suppress(BaseException):
            traceback.print_exc()
    signal.signal(signal.SIGABRT, signal.SIG_DFL)
    os.abort()


class Remote:
    """A running attempt whose horse does what needs database, Redis or storage. See `attempt.Attempt`."""

    def __init__(self, channel: socket.socket, handed: Handed) -> None:
        self._channel, self._handed = channel, handed
        self._lock = threading.Lock()
        self._reported = 0.0

    def report(self, fraction: float, message: str) -> None:
        now = time.monotonic()
        if fraction >= 1 or now - self._reported >= REPORT_INTERVAL:
            self._reported = now
            self._ask({"do": "progress", "fraction": fraction, "message": message[:MESSAGE]})

    def input_file(self, field: str = "") -> AbstractContextManager[Path]:
        return self._handed.file(field)

    def input_files(self) -> AbstractContextManager[list[InputFile]]:
        return self._handed.files()

    def save_file(self, name: str, content: "bytes | File[bytes]", content_type: str) -> None:
        body = body_of(name, content, content_type)
        if len(name) > CLASS or len(content_type) > CLASS:
            raise ValueError("A name or content type is too long")
        with tempfile.TemporaryFile() as file:
            for chunk in body.chunks():
                file.write(chunk)
            file.flush()
            self._ask({"do": "save", "name": name, "content_type": content_type}, file.fileno())

    def _ask(self, message: packets.Message, *descriptors: int) -> None:
        """Raises what the horse was told by the database, by Redis or by the storage."""
        with self._lock:
            packets.send(self._channel, message, *descriptors)
            with packets.received(self._channel) as found:
                if found is None:
                    raise ConnectionResetError("the horse has ended")
                answer, _ = found
        if "raised" in answer:
            raise RAISED.get(answer["raised"], RuntimeError)(answer["sentence"])


def _let_go_of_all_but(channel: int) -> None:
    """Point every descriptor but the channel and the standard output to nothing.

    Closed numbers would be used again, and a forgotten connection would then write into a file of the task.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208  # strings are enough
        with suppress(OSError):
            os.fstat(descriptor)  # the listing's own is closed again
            if descriptor not in {1, 2, channel, nothing}:
                os.dup2(nothing, descriptor, inheritable=descriptor == 0)


def _tell_the_end(channel: socket.socket, function: Callable[[], Any], retry_on: tuple[type[Exception], ...]) -> None:
    """Call the function; send what it returned or raised."""
    try:
        content = _as_json(function())
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.flush()
            _flush_logs()
            packets.send(channel, {"do": "return"}, file.fileno())
    except BaseException as error:  # noqa: BLE001  # sys.exit, and libraries whose panics are no Exception, too
        _flush_logs()
        packets.send(channel, _told(error) | {"again": isinstance(error, retry_on)})


def _as_json(value: Any) -> bytes:
    content = json.dumps(returned(value), allow_nan=False).encode()
    if len(content) > LARGEST_RESULT:
        raise ValueError(f"The returned value has {len(content)} bytes as JSON; the most are {LARGEST_RESULT}")
    return content


def _flush_logs() -> None:
    """Before the last message: the horse ends this process when it has it."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def _told(error: BaseException) -> packets.Message:
    kind = type(error)
    return {
        "do": "raise",
        "kind": next((judged.__name__ for judged in JUDGED if isinstance(error, judged)), ""),
        "class": f"{kind.__module__}.{kind.__qualname__}"[:CLASS],
        "sentence": str(error)[:SENTENCE],
        "traceback": "".join(traceback.format_exception(error))[-TRACEBACK:],
    }
