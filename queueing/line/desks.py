"""All that workers tell about themselves, for staff."""

from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple, cast

import redis
from rq import worker_registration

from queueing.line import levers
from queueing.line.keys import RUNS, WORKER, line_keys, presence_key
from queueing.line.levers import Levers
from queueing.line.scripts import as_text
from queueing.line.servers import Server, ask_each
from queueing.line.workers import WORKER_TTL

FIELDS = ("hostname", "pid", "state", "order", "queues", "quiet", "death", "shutdown_requested_date")
# Ids of a line that are looked at for the next one: first so many, then all of these.
HEAD, LONG_HEAD = 50, 1000


class Desk(NamedTuple):
    """One live worker."""

    name: str
    host: str
    pid: str
    state: str  # RQ's word: "busy", "idle", "suspended"
    lines: tuple[str, ...]  # in the order in which it asks them next
    is_quiet: bool
    is_stopping: bool
    seconds: float  # since its last sign of life
    ends: dict[str, int]  # of its runs, by status
    home: str  # a line of the site on the server that knows the worker


def desks(queues: Iterable[str] | None = None) -> list[Desk]:
    """The live workers at the servers of these lines, or of all, by name.

    A server that is away has none here. Raises RedisError if none answers.
    """
    return sorted(chain.from_iterable(ask_each(_desks_at, queues)), key=lambda desk: desk.name)


def _desks_at(server: Server) -> list[Desk]:
    client = server.client
    names = sorted(key.removeprefix("rq:worker:") for key in worker_registration.get_keys(connection=client))
    with client.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.pttl(WORKER.format(name=name))
            pipe.hmget(f"rq:worker:{name}", *FIELDS)
            pipe.hgetall(RUNS.format(name=name))
        replies = pipe.execute(raise_on_error=False)
    found = []
    for index, name in enumerate(names):
        life, values, ends = replies[3 * index : 3 * index + 3]
        if isinstance(life, Exception) or isinstance(values, Exception) or life <= 0:
            continue  # dead, or of another program
        host, pid, state, order, queues, quiet, death, stopping = (as_text(value or b"") for value in values)
        if death:
            continue
        runs = {} if isinstance(ends, Exception) else {as_text(status): _number(n) for status, n in ends.items()}
        lines = tuple((order or queues).split(","))
        since = max(0.0, WORKER_TTL - life / 1000)
        found.append(Desk(name, host, pid, state, lines, bool(quiet), bool(stopping), since, runs, server.lines[0]))
    return found


class Next(NamedTuple):
    """The entry that a line would hand out now, or the reason for which it hands out none."""

    job_id: str
    hindrance: str = ""


def next_of(queues: set[str]) -> dict[str, Next]:
    """The next entry of each of these lines, nearly as the claim script would find it.

    A line whose server is away has none. Raises RedisError if none answers.
    """
    found: dict[str, Next] = {}
    for following in ask_each(_next_at, sorted(queues)):
        found |= following
    return found


def _next_at(server: Server) -> dict[str, Next]:
    client, names = server
    with client.pipeline(transaction=False) as pipe:
        pipe.time()
        for queue in names:
            keys = line_keys(queue)
            pipe.zrange(keys.line, 0, HEAD - 1)
            pipe.mget(keys.levers, keys.epoch)
            pipe.zrange(keys.running, 0, -1)
            pipe.hvals(keys.claims)
            pipe.zrange(keys.starts, 0, -1, withscores=True)
        (seconds, _), *replies = pipe.execute()
    found = {}
    for index, queue in enumerate(names):
        ids, (copy, epoch), running, claims, starts = replies[5 * index : 5 * index + 5]
        at_work = set(running) | {claim.partition(b":")[0] for claim in claims}
        started = sum(seconds - ms / 1000 < 60 for _, ms in starts)
        hindrance = _hindrance(levers.parse(copy), bool(epoch), len(at_work), started)
        found[queue] = Next("", hindrance) if hindrance else _next_in(client, queue, ids)
    return found


def _hindrance(said: Levers | None, has_epoch: bool, at_work: int, started: int) -> str:
    if said is not None and said.is_paused:
        return "paused"
    if not has_epoch:
        return "places are coming back"
    if said is not None and said.max_running is not None and at_work >= said.max_running:
        return "as many run as may"
    if said is not None and said.max_starts is not None and started >= said.max_starts:
        return "as many were started in this minute as may"
    return ""


def _next_in(client: redis.Redis, queue: str, head: list[bytes]) -> Next:
    """The first present entry of a line whose first ids these are."""
    if (first := _first_present(client, head)) or len(head) < HEAD:
        return Next(first)
    following = cast("list[bytes]", client.zrange(line_keys(queue).line, HEAD, LONG_HEAD - 1))
    first = _first_present(client, following)
    is_longer = not first and HEAD + len(following) >= LONG_HEAD
    return Next(first, f"nobody among the first {LONG_HEAD:,} is there" if is_longer else "")


def _first_present(client: redis.Redis, raw: list[bytes]) -> str:
    ids = [as_text(job_id) for job_id in raw]
    present = cast("list[bytes | None]", client.mget([presence_key(job_id) for job_id in ids])) if ids else []
    return next((job_id for job_id, since in zip(ids, present, strict=True) if since), "")


def _number(value: bytes) -> int:
    return int(value) if value.isdigit() else 0
