"""An isolated task, seen from its horse: a process without network, files of others and passwords runs the function.

1. The horse finds the path of the input, closes its connections to the database, and forks.
2. The new process takes its rights away (`inside.py`), and calls the task's function.
3. It asks the horse for what needs database, Redis or storage: progress, and files to keep. The horse answers each
   message as the task would have been answered.
4. Its last message is what the function returned or raised. If it dies instead, the horse dies of the same signal or
   with the same status, so that its worker finds the same blame.

The horse believes nothing: `packets.py` bounds what it reads. The process ends with this call, whatever it does.
"""

import json
import logging
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import IO, Any, NoReturn, cast

from django.core.files.base import File
from django.db import connections

from queueing.exceptions import FilesTooLarge, RaisedInside, StorageError, UnusableInput, VisitorLeft
from queueing.line.jobs import TaskTimeout
from queueing.work import inside, packets, report
from queueing.work.attempt import Attempt, Running
from queueing.work.inside import Room
from queueing.work.limits import limits_of

logger = logging.getLogger("queueing")

LOOK_INTERVAL = 0.5  # seconds between two looks whether the process has ended, while it sends nothing
MOST_FILES = 2_000  # that an attempt may save: an empty one takes no bytes of its limit

# Exceptions that have a verdict of their own (`blame.py`), beside VisitorLeft.
JUDGED: dict[str, type[Exception]] = {kind.__name__: kind for kind in (UnusableInput, MemoryError, FilesTooLarge)}


def call(function: Callable[[Running], Any], attempt: Attempt, room: Room) -> Any:
    """The value that the function returns in a process of its own. Raises what it raised, and TaskTimeout."""
    with ExitStack() as stack:
        room.handed = stack.enter_context(attempt.handed())
        connections.close_all()  # never open across a fork
        ours, theirs = packets.pair()
        stack.enter_context(ours)
        pid = _fork(function, theirs, room)
        stack.callback(_end, pid)
        theirs.close()
        return Conversation(attempt, ours, pid).until_the_end()


class Conversation:
    """The horse's part of the talk with the process of its task."""

    def __init__(self, attempt: Attempt, channel: socket.socket, pid: int) -> None:
        self._attempt, self._channel, self._pid = attempt, channel, pid
        self._left: VisitorLeft | None = None  # what the process was told
        self._files = self._bytes = 0  # tried to save

    def until_the_end(self) -> Any:
        """Answer the process until it tells the end. Returns the value, or raises the exception."""
        while self._has_more():
            with packets.received(self._channel) as found:
                if found is None:
                    break
                message, descriptor = found
                if message.get("do") == "return":
                    return _value(descriptor)
                if message.get("do") == "raise":
                    raise self._raised(message)
                answer = self._answer(message, descriptor)
            with suppress(OSError):  # it is dead: the next look finds out
                packets.send(self._channel, answer)
        return _die_as(self._pid)

    def _has_more(self) -> bool:
        """Wait for a message. False: the process has ended, though a child of it holds the channel open."""
        while not select.select([self._channel], [], [], LOOK_INTERVAL)[0]:
            if os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                return bool(select.select([self._channel], [], [], 0)[0])
        return True

    def _answer(self, message: packets.Message, descriptor: int | None) -> packets.Message:
        try:
            self._do(message, descriptor)
        except (TaskTimeout, StorageError):  # not the task's to handle
            raise
        except Exception as error:  # noqa: BLE001  # whatever a storage may raise; it is the task's to handle
            if isinstance(error, VisitorLeft):
                self._left = error
            return {"raised": type(error).__name__, "sentence": str(error)[: inside.SENTENCE]}
        return {}

    def _do(self, message: packets.Message, descriptor: int | None) -> None:
        match message:
            case {"do": "progress", "fraction": int() | float() as fraction, "message": str() as text}:
                if not 0 <= fraction <= 1:
                    raise ValueError(f"{fraction} is no fraction")
                self._attempt.report(fraction, text)
            case {"do": "save", "name": str() as name, "content_type": str() as content_type}:
                self._save(name, packets.Content(descriptor), content_type)
            case _:
                raise ValueError("this is no message of a task")

    def _save(self, name: str, content: packets.Content, content_type: str) -> None:
        if not (content_type.isascii() and content_type.isprintable()):
            raise ValueError(f"{content_type!r} is no content type")
        # Files that could not be stored count, too: something of them may lie in the storage.
        self._files += 1
        self._bytes += content.size
        if self._files > MOST_FILES or self._bytes > limits_of(self._attempt.entry.queue).disk:
            raise FilesTooLarge
        self._attempt.save_file(name, File(cast("IO[bytes]", content)), content_type)

    def _raised(self, message: packets.Message) -> Exception:
        """The exception of the function. VisitorLeft counts only where this horse has said so."""
        if self._left is not None and message.get("kind") == VisitorLeft.__name__:
            return self._left
        kind, name, sentence, told = (str(message.get(key, "")) for key in ("kind", "class", "sentence", "traceback"))
        error = (
            JUDGED[kind](sentence)
            if kind in JUDGED
            else RaisedInside(sentence, error_class=name, is_retried=message.get("again") is True)
        )
        error.add_note(told)
        return error


def _value(descriptor: int | None) -> Any:
    content = packets.Content(descriptor)
    if content.size > inside.LARGEST_RESULT:
        raise ValueError("The value that the task returned is too large.")
    return json.loads(content.readall())


def _fork(function: Callable[[Running], Any], channel: socket.socket, room: Room) -> int:
    if len(threads := os.listdir("/proc/self/task")) > 1:  # noqa: PTH208  # a lock that one of them holds stays locked
        logger.warning("a horse has %d threads, and the process of its task gets one of them", len(threads))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    horse_pid = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        logger.exception("a horse could not start the process of its task")
        os._exit(os.EX_OSERR)  # the machine's fault: the entry goes back to its place
    if pid == 0:
        if (speaker := report.speaker()) is not None:
            speaker.leave()  # hostile input has no word in the horse's report
        inside.run(function, channel, room, horse_pid)
    return pid


def _end(pid: int) -> None:
    """End the process. What it has started ends with the horse, by its worker."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _die_as(pid: int) -> NoReturn:
    """Wait for the end of this process, and end this one in the same way."""
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        with suppress(OSError):  # SIGKILL has no handler
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1)
