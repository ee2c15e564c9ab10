"""The live workers of a line.

RQ's own keys outlive their workers by minutes, and RQ's heartbeat is a time by the worker's clock. So each worker has
a key in Redis with a short life, and counts while this key lives.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

import redis
from django.conf import settings
from rq import suspension, worker_registration

from queueing.line.clients import connection, raise_all_but_wrong_types
from queueing.line.keys import COUNTING, RUNS, WORKER
from queueing.line.queue import get_queue
from queueing.line.scripts import as_text

WORKER_HEARTBEAT_INTERVAL = 5  # seconds between two heartbeats of a worker, idle or busy
# Seconds after the last heartbeat. A hang of Redis shorter than this does not make workers look missing.
WORKER_TTL = 16
RUNS_TTL = 24 * 3600  # seconds


def note_heartbeat(pipe: redis.client.Pipeline, name: str) -> None:
    """Renew the key by which this worker counts as alive."""
    pipe.set(WORKER.format(name=name), 1, ex=WORKER_TTL)


def note_end(names: Sequence[str], status: str) -> None:
    """Count the end of a run for its worker, if one is named. A count that is lost with Redis is no harm."""
    if not names:
        return
    key = RUNS.format(name=names[0])
    with suppress(redis.RedisError), connection().pipeline(transaction=False) as pipe:
        pipe.hincrby(key, status, 1)
        pipe.expire(key, RUNS_TTL)
        pipe.execute()


def is_counting() -> bool:
    """True for a while after a flush: living workers give their next heartbeat, and are not missing."""
    return bool(connection().exists(COUNTING))


class LiveWorker(NamedTuple):
    """A worker that gave a heartbeat lately and has not ended."""

    name: str
    state: str  # RQ's word: "busy", "idle", ...
    lines: tuple[str, ...]  # the queues that it serves
    takes_work: bool = True  # False: it is quiet, or ends after the task that it has

    @property
    def is_busy(self) -> bool:
        return self.state == "busy"


def live_workers(queue: str) -> list[LiveWorker]:
    """The live workers of this queue."""
    keys = worker_registration.get_keys(queue=get_queue(queue), connection=connection())
    return _alive(keys)


def is_served(queue: str) -> bool:
    """True if a live worker takes the entries of this queue. A worker that is quiet or stopping takes none."""
    return any(worker.takes_work for worker in live_workers(queue))


def all_workers() -> list[LiveWorker]:
    """The live workers of all queues."""
    return _alive(worker_registration.get_keys(connection=connection()))


def are_suspended() -> bool:
    """True if the workers are told to take nothing: by `rq suspend`, or by code."""
    return bool(suspension.is_suspended(connection()))


def suspend(seconds: int | None = None) -> None:
    """Tell all workers to take nothing, for so long."""
    suspension.suspend(connection(), seconds)


def resume() -> None:
    """The workers take work again. Idle ones are called, because they may wait for longer."""
    suspension.resume(connection())
    with connection().pipeline(transaction=False) as pipe:
        for queue in settings.QUEUEING_TASKS:
            for _ in live_workers(queue):
                get_queue(queue).line.wake_worker(pipe, "")
        pipe.execute()


def _alive(keys: Iterable[str]) -> list[LiveWorker]:
    names = sorted(key.removeprefix("rq:worker:") for key in keys)
    with connection().pipeline(transaction=False) as pipe:
        for name in names:
            pipe.exists(WORKER.format(name=name))
            pipe.hmget(f"rq:worker:{name}", "death", "state", "queues", "quiet", "shutdown_requested_date")
        replies = pipe.execute(raise_on_error=False)
    raise_all_but_wrong_types(replies)
    return [
        LiveWorker(
            name,
            state=as_text(reply[1] or b""),
            lines=tuple(as_text(reply[2] or b"").split(",")),
            takes_work=not (reply[3] or reply[4]),  # neither quiet nor about to end
        )
        for name, is_alive, reply in zip(names, replies[::2], replies[1::2], strict=True)
        if is_alive and not isinstance(reply, Exception) and not reply[0]  # no death
    ]
