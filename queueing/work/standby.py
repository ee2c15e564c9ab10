"""The standby: a child of a worker, forked before its job is there, so that the start of a job needs no fork.

    forked       while the worker waits for work, or while the horse before it works
    standing by  has connected to Redis and the database, and reads from a pipe
    handed over  has read a job from the pipe: it is the horse of that job, takes the last look, and ends after it

A standby that has died, is old, or comes from older code is replaced. A worker without one forks a horse as RQ does. So
a standby may end at any time before it has read a job, and costs nothing.
"""

import json
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn, Self

import redis
from django.db import connections

from queueing import sandbox
from queueing.models.trouble import DATABASE_ERRORS
from queueing.registry import all_tasks
from queueing.work.birth import Birth

logger = logging.getLogger("queueing")

NAME = "rq:standby"  # of the process
LIFE = 300.0  # seconds until a standby is replaced


@dataclass(frozen=True, slots=True)
class Order:
    """The job of a standby, as it goes through the pipe: a few hundred bytes, which are written and read at once."""

    job_id: str
    line: str
    execution: str  # RQ's id of this run
    folder: str  # the temporary folder, see `scratch.py`


class Standby:
    """A child that stands by, as its worker sees it."""

    def __init__(self, pid: int, pipe: int, birth: Birth, code: float) -> None:
        self.pid, self.birth = pid, birth
        self._pipe, self._code, self._began = pipe, code, time.monotonic()

    @classmethod
    def fork(cls, lines: Iterable[str], live: Callable[[int, Birth], None]) -> Self | None:
        """Fork a child that runs `live` with the reading end of its pipe. None: the machine has no room for it.

        No connection to a database may be open.
        """
        birth, code, worker = Birth.now(), age_of_code(lines), os.getpid()
        orders, pipe = os.pipe()
        try:
            pid = os.fork()
        except OSError as error:
            logger.warning("no standby: %s", error)
            os.close(orders)
            os.close(pipe)
            return None
        if pid == 0:
            os.close(pipe)
            _live(live, orders, birth, worker)
        os.close(orders)
        return cls(pid, pipe, birth, code)

    def is_fit(self, lines: Iterable[str]) -> bool:
        """False if it has died, is old, or its tasks' files have changed since its fork."""
        return (
            time.monotonic() - self._began < LIFE
            and not select.select([], [], [self._pipe], 0)[2]
            and not self._has_ended()
            and self._code == age_of_code(lines)
        )

    def hand_over(self, order: Order) -> bool:
        """Make it the horse of this job. False: it has died before."""
        try:
            if self._has_ended():
                return False
            os.write(self._pipe, json.dumps(asdict(order)).encode())
        except OSError:  # nobody reads
            self.end()
            return False
        os.close(self._pipe)
        return True

    def forget(self) -> None:
        """In another child of the worker: this one may give no orders."""
        with suppress(OSError):
            os.close(self._pipe)

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


def await_order(orders: int, client: redis.Redis) -> Order:
    """In the child: connect, stand by, and return the job. Ends the process if the worker closes the pipe."""
    with suppress(redis.RedisError):
        client.ping()
    for alias in connections:
        with suppress(*DATABASE_ERRORS):
            connections[alias].ensure_connection()
    received = os.read(orders, select.PIPE_BUF)
    os.close(orders)
    if not received:
        os._exit(os.EX_OK)
    _drop_dead_connections()
    return Order(**json.loads(received))


def age_of_code(lines: Iterable[str]) -> float:
    """The time at which a file of the lines' tasks was changed last, in seconds since 1970."""
    times = [0.0]
    tasks = all_tasks()
    for task in (tasks[line] for line in lines if line in tasks):
        module = sys.modules.get(task.task.func.__module__)
        with suppress(OSError, TypeError):
            times.append(Path(module.__file__).stat().st_mtime)  # type: ignore[union-attr, arg-type]
    return max(times)


def _live(live: Callable[[int, Birth], None], orders: int, birth: Birth, worker: int) -> NoReturn:
    """The whole life of the child. A standby must not go on as a second worker."""
    try:
        os.setpgrp()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        sandbox.end_with_parent(worker)
        sandbox.name_process(NAME)
        live(orders, birth)
    except BaseException:
        logger.exception("a standby did not start")
    os._exit(1)


def _drop_dead_connections() -> None:
    """A connection that died while its process stood by is opened again; Redis' client sees to its own."""
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None and not connection.is_usable():
            connection.close()
