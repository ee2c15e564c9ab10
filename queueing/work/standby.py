"""The standby: a child of a worker, forked before its job is there, so that the start of a job needs no fork.

    forked       while the worker waits for work, or while the horse before it works
    standing by  has said that it lives; opens its connections, rehearses a start, and waits for a job
    handed over  has read a job, and rehearses no more: it is the horse of that job, and ends after it

A standby that has died, is old, or comes from older code is replaced. One that does not say that it lives gets no job:
the fork of a process with threads may hang at a lock of theirs. A worker without a standby forks one for the job. So a
standby may end at any time before it has read a job, and costs nothing.
"""

import json
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn, Self

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from queueing import sandbox
from queueing.line.clients import RedisError
from queueing.models.trouble import DATABASE_ERRORS
from queueing.registry import all_tasks
from queueing.work.birth import Birth
from queueing.work.report import Listener

logger = logging.getLogger("queueing")

NAME = "rq:standby"  # of the process
LIFE = 300.0  # seconds until a standby is replaced
READY = b"r"  # the word of a standby that lives
READY_WAIT = 1.0  # seconds that a job waits for it


@dataclass(frozen=True, slots=True)
class Order:
    """The job of a standby, as the worker sends it."""

    job_id: str
    line: str


class Standby:
    """A child that stands by, as its worker sees it."""

    def __init__(self, pid: int, channel: socket.socket, birth: Birth, code: float) -> None:
        self.pid, self.birth = pid, birth
        self._channel, self._code, self._began = channel, code, time.monotonic()

    @classmethod
    def fork(cls, lines: Iterable[str], live: Callable[[socket.socket, Birth], None], birth: Birth) -> Self:
        """Fork a child that runs `live` with its end of the channel. Raises OSError: the machine has no room for it.

        No connection to a database may be open.
        """
        code, worker = code_changed_at(lines), os.getpid()
        ours, its = socket.socketpair()
        try:
            pid = os.fork()
        except BaseException:
            ours.close()
            its.close()
            raise
        if pid == 0:
            ours.close()
            _live(live, its, birth, worker)
        its.close()
        return cls(pid, ours, birth, code)

    def is_fit(self, lines: Iterable[str]) -> bool:
        """False if it has died, is old, or its tasks' files have changed since its fork."""
        is_young = time.monotonic() - self._began < LIFE
        return is_young and not self._has_ended() and self._code == code_changed_at(lines)

    def hand_over(self, order: Order) -> Listener:
        """Make it the horse of this job. The listener is closed if it has died, or hangs, and is ended."""
        with suppress(OSError):
            self._channel.settimeout(READY_WAIT)
            if self._channel.recv(len(READY)) == READY:
                self._channel.sendall(json.dumps(asdict(order)).encode() + b"\n")
                return Listener(self.pid, self.birth.report, self._channel)
        self.end()
        return Listener(self.pid, self.birth.report, self._channel)

    def forget(self) -> None:
        """In another child of the worker: this one may give no orders."""
        self._channel.close()

    def end(self) -> None:
        """End it, wherever it is."""
        self.forget()
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def _has_ended(self) -> bool:
        try:
            return os.waitpid(self.pid, os.WNOHANG)[0] != 0
        except ChildProcessError:
            return True


def await_order(channel: socket.socket, steps: Iterable[Callable[[], object]] = ()) -> Order:
    """In the child: say that it lives, rehearse, stand by, and return the job.

    A job breaks the rehearsal off. Ends the process if the worker has ended it.
    """
    received = b""
    with suppress(ConnectionError), channel.makefile("rb") as orders:
        channel.send(READY)
        _rehearse(channel, steps)
        received = orders.readline()
    if not received:
        os._exit(os.EX_OK)
    for connection in connections.all(initialized_only=True):
        if _has_died(connection):
            connection.close()  # it is opened again; Redis' client sees to its own
    return Order(**json.loads(received))


def _rehearse(channel: socket.socket, steps: Iterable[Callable[[], object]]) -> None:
    """Take steps until there is a job. A database or Redis that is away ends it; the job tries again."""
    with suppress(*DATABASE_ERRORS, RedisError):
        for step in steps:
            if select.select([channel], [], [], 0)[0]:
                return
            step()


def _has_died(connection: BaseDatabaseWrapper) -> bool:
    """True if the server has closed this connection, or has said so. A query would tell the same in a round trip."""
    if connection.connection is None or connection.vendor != "postgresql":
        return False
    if connection.connection.closed:  # a step of the rehearsal has found out
        return True
    poll = select.poll()
    poll.register(connection.connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))  # a server says nothing else to a connection that asks for nothing


def code_changed_at(lines: Iterable[str]) -> float:
    """The time at which a file of the lines' tasks was changed last, in seconds since 1970."""
    times = [0.0]
    tasks = all_tasks()
    for task in (tasks[line] for line in lines if line in tasks):
        module = sys.modules.get(task.task.func.__module__)
        with suppress(OSError, TypeError):
            times.append(Path(module.__file__).stat().st_mtime)  # type: ignore[union-attr, arg-type]
    return max(times)


def _live(live: Callable[[socket.socket, Birth], None], channel: socket.socket, birth: Birth, worker: int) -> NoReturn:
    """The whole life of the child. A standby must not go on as a second worker."""
    try:
        os.setpgrp()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        sandbox.end_with_parent(worker)
        sandbox.name_process(NAME)
        live(channel, birth)
    except BaseException:
        logger.exception("a standby did not start")
    os._exit(1)
