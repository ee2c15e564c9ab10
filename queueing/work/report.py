"""The report of a horse: how far it has come with the job of an entry, for its worker.

    NOTHING   the horse takes its last look
    STARTED   the row runs; the worker ends the claim and tells the pages, while the task begins
    STORING   the task is over, and the horse stores its end
    OVER      the row is settled; the worker keeps RQ's books, and lets the horse end when the next one has started

The stage is in memory that both share, so it outlives the horse. A word in the channel only wakes the worker.
"""

import mmap
import select
import socket
import time
from contextlib import suppress
from enum import IntEnum

LONGEST_WORDS = 4000  # characters of the traceback of a runner that failed
RELEASE_WAIT = 1.0  # seconds, at most, between the word that all is over and the end of the process


class Stage(IntEnum):
    """The stages, in order."""

    NOTHING = 0
    STARTED = 1
    STORING = 2
    OVER = 3


class Report:
    """The stage and the attempt, in memory that a worker shares with a horse that is forked later."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 4)

    @property
    def stage(self) -> Stage:
        """The stage. What no horse writes counts as nothing: the worker then reads the row."""
        return Stage(self._memory[0]) if self._memory[0] in Stage else Stage.NOTHING

    @property
    def start_is_told(self) -> bool:
        """True once the worker has ended the claim of a started entry."""
        return bool(self._memory[3])

    @property
    def attempt(self) -> int:
        """The number of the attempt; 0 while nothing was started."""
        return int.from_bytes(self._memory[1:3])

    def note_start(self, attempt: int) -> None:
        self._memory[1:3] = attempt.to_bytes(2)
        self.note(Stage.STARTED)

    def note(self, stage: Stage) -> None:
        self._memory[0] = stage

    def note_told(self) -> None:
        self._memory[3] = 1

    def close(self) -> None:
        """In a process that has nothing to report: it cannot write here any more."""
        self._memory.close()


class Speaker:
    """The horse's side."""

    def __init__(self, report: Report, channel: socket.socket) -> None:
        self._report, self._channel = report, channel

    def started(self, attempt: int) -> None:
        self._report.note_start(attempt)
        self._say(b"started\n")

    @property
    def start_is_told(self) -> bool:
        return self._report.start_is_told

    def task_is_over(self) -> None:
        self._report.note(Stage.STORING)

    def leave(self) -> None:
        """In a process that the horse has forked."""
        self._report.close()
        self._channel.close()

    def over(self) -> None:
        self._report.note(Stage.OVER)
        self._say(b"over\n")

    def await_release(self) -> None:
        """Wait until the worker has started the next task: the end of a process takes milliseconds of a core."""
        with suppress(OSError):
            self._channel.settimeout(RELEASE_WAIT)
            self._channel.recv(1)

    def failed(self, traceback: str) -> None:
        """The runner itself has failed, in words for RQ's registry."""
        self._say(traceback[-LONGEST_WORDS:].encode())

    def _say(self, words: bytes) -> None:
        with suppress(OSError):  # a worker that has gone, or a task that has closed what it did not open
            self._channel.send(words, socket.MSG_DONTWAIT)


class Listener:
    """The worker's side, from the hand-over on."""

    def __init__(self, pid: int, report: Report, channel: socket.socket) -> None:
        self.pid, self.report, self.channel = pid, report, channel
        self.is_open = channel.fileno() >= 0
        self._heard = b""

    def await_stage(self, stage: Stage, seconds: float) -> None:
        """Wait until the horse is there, or has ended; no longer than this."""
        deadline, poll = time.monotonic() + seconds, select.poll()
        if self.is_open:
            poll.register(self.channel, select.POLLIN)
        while self.is_open and self.report.stage < stage and (left := deadline - time.monotonic()) > 0:
            if poll.poll(left * 1000):
                self.hear()

    def hear(self) -> bool:
        """Take in what the horse has said. False: it has ended, or has closed the channel."""
        try:
            words = self.channel.recv(2**16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            words = b""
        self._heard += words
        self.is_open = bool(words)
        return self.is_open

    def release(self) -> None:
        """The horse may end now."""
        with suppress(OSError):
            self.channel.shutdown(socket.SHUT_WR)

    def last_words(self) -> str:
        """The traceback of a runner that failed."""
        self.hear()
        return self._heard.decode(errors="replace").removeprefix("started\n")


_speaker: Speaker | None = None  # of this horse; None in every other process


def begin(report: Report, channel: socket.socket) -> None:
    """In a new horse: from now on it reports."""
    global _speaker  # noqa: PLW0603  # a horse has it for its whole life
    _speaker = Speaker(report, channel)


def speaker() -> Speaker | None:
    """The speaker of this horse; None for a process whose worker hears nothing."""
    return _speaker
