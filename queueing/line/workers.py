"""The live workers of a line.

RQ's own keys outlive their workers by minutes, and RQ's heartbeat is a time by the worker's clock. So each worker has
a key in Redis with a short life, and counts while this key lives.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import NamedTuple

import redis
from django.conf import settings
from rq import suspension, worker_registration

from queueing.line.clients import connection, raise_all_but_wrong_types
from queueing.line.keys import COUNTING, RUNS, WORKER
from queueing.line.queue import get_queue
from queueing.line.scripts import as_text
from queueing.line.servers import Server, ask_each

WORKER_HEARTBEAT_INTERVAL = 5  # seconds between two heartbeats of a worker, idle or busy
# Seconds after the last heartbeat. A hang of Redis shorter than this does not make workers look missing.
WORKER_TTL = 16
RUNS_TTL = 24 * 3600  # seconds


def note_heartbeat(pipe: redis.client.Pipeline, name: str) -> None:
    """Renew the key by which this worker counts as alive."""
    pipe.set(WORKER.format(name=name), 1, ex=WORKER_TTL)


def note_end(queue: str, names: Sequence[str], status: str) -> None:
    """Count the end of a run of this line for its worker, if it has one. A count lost with Redis is no harm."""
    if not names:
        return
    key = RUNS.format(name=names[0])
    with suppress(redis.RedisError), connection(queue).pipeline(transaction=False) as pipe:
        pipe.hincrby(key, status, 1)
        pipe.expire(key, RUNS_TTL)
        pipe.execute()


def is_counting(queue: str) -> bool:
    """True for a while after a flush: living workers give their next heartbeat, and are not missing."""
    return bool(connection(queue).exists(COUNTING))


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
    client = connection(queue)
    return _alive(client, worker_registration.get_keys(queue=get_queue(queue), connection=client))


def is_served(queue: str) -> bool:
    """True if a live worker takes the entries of this queue. A worker that is quiet or stopping takes none."""
    return any(worker.takes_work for worker in live_workers(queue))


def all_workers(queues: Iterable[str] | None = None) -> list[LiveWorker]:
    """The live workers on the servers of these lines, or of all, by name. A server that is away has none here.

    Raises RedisError if none answers.
    """
    return sorted(chain.from_iterable(ask_each(_workers_at, queues)))


def _workers_at(server: Server) -> list[LiveWorker]:
    return _alive(server.client, worker_registration.get_keys(connection=server.client))


def are_suspended(queue: str) -> bool:
    """True if the workers of this line's server are told to take nothing: by `rq suspend`, or by code."""
    return bool(suspension.is_suspended(connection(queue)))


def suspensions(queues: Iterable[str] | None = None) -> dict[str, bool]:
    """By line, of these or of all: True if its workers are told to take nothing. One whose server is away is left out.

    Raises RedisError if no server answers.
    """
    return {queue: told for server in ask_each(_suspensions_at, queues) for queue, told in server.items()}


def _suspensions_at(server: Server) -> dict[str, bool]:
    return dict.fromkeys(server.lines, bool(suspension.is_suspended(server.client)))


def suspend(seconds: int | None = None) -> list[str]:
    """Tell all workers to take nothing, for so long. Returns the lines whose server is away: their workers go on.

    Raises RedisError if none answers.
    """
    return _without(ask_each(partial(_suspend, seconds=seconds)))


def resume() -> list[str]:
    """The workers take work again. Idle ones are called, because they may wait for longer. Returns as `suspend`."""
    return _without(ask_each(_resume))


def _suspend(server: Server, *, seconds: int | None) -> tuple[str, ...]:
    suspension.suspend(server.client, seconds)
    return server.lines


def _resume(server: Server) -> tuple[str, ...]:
    suspension.resume(server.client)
    with server.client.pipeline(transaction=False) as pipe:
        for queue in server.lines:
            for _ in live_workers(queue):
                get_queue(queue).line.wake_worker(pipe, "")
        pipe.execute()
    return server.lines


def _without(told: Iterable[Iterable[str]]) -> list[str]:
    """The lines that are not among these."""
    known = set(chain.from_iterable(told))
    return [queue for queue in settings.QUEUEING_TASKS if queue not in known]


def _alive(client: redis.Redis, keys: Iterable[str]) -> list[LiveWorker]:
    names = sorted(key.removeprefix("rq:worker:") for key in keys)
    with client.pipeline(transaction=False) as pipe:
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
