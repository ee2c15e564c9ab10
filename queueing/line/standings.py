"""The stand of entries for lists of staff: in the line, held, unseen, or claimed."""

from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from typing import NamedTuple, cast

import redis

from queueing.line.keys import line_keys, presence_key
from queueing.line.scripts import as_text
from queueing.line.servers import Server, ask_each, servers


class Where(StrEnum):
    """The place of a waiting entry."""

    LINE = "line"
    HELD = "held"
    UNSEEN = "unseen"
    CLAIMED = "claimed"


class Listed(NamedTuple):
    """An entry of a list."""

    queue: str
    job_id: str
    score: int


class Stand(NamedTuple):
    """The place of one entry, and whether a page of it is open."""

    where: Where | None  # None: it has no place
    ahead: int  # present entries ahead
    seconds: float | None  # until the place of a held or unseen entry is over
    is_present: bool


def stands(entries: Sequence[Listed]) -> list[Stand | None]:
    """The stand of each of them, in two round trips to each server. None: the entry's server is away.

    Raises RedisError if none answers.
    """
    queues = sorted({entry.queue for entry in entries})
    found: dict[Listed, Stand] = {}
    for answer in ask_each(partial(_stands_at, entries=entries), queues):
        found |= answer
    return [found.get(entry) for entry in entries]


def _stands_at(server: Server, *, entries: Sequence[Listed]) -> dict[Listed, Stand]:
    client, queues = server
    entries = [entry for entry in entries if entry.queue in queues]
    with client.pipeline(transaction=False) as pipe:
        pipe.time()
        for queue in queues:
            pipe.hvals(line_keys(queue).claims)
        (seconds, micros), *claims = pipe.execute()
    claimed = {as_text(claim).partition(":")[0] for queue in claims for claim in queue}
    with client.pipeline(transaction=False) as pipe:
        for queue, job_id, score in entries:
            keys = line_keys(queue)
            pipe.zscore(keys.line, job_id)
            pipe.zscore(keys.held, job_id)
            pipe.zscore(keys.unseen, job_id)
            pipe.zcount(keys.line, "-inf", f"({score}")
            pipe.zscore(keys.due, job_id)
            pipe.exists(presence_key(job_id))
        replies = pipe.execute()
    found = {}
    for index, entry in enumerate(entries):
        line, held, unseen, ahead, due, present = replies[6 * index : 6 * index + 6]
        places = ((Where.LINE, line), (Where.HELD, held), (Where.UNSEEN, unseen))
        where = next((where for where, score in places if score is not None), None)
        if where is None and entry.job_id in claimed:
            where = Where.CLAIMED
        left = max(0.0, due / 1000 - (seconds + micros / 1e6)) if due is not None and where != Where.LINE else None
        found[entry] = Stand(where, ahead, left, bool(present))
    return found


class Listing(NamedTuple):
    """The ids in one kind of place."""

    ids: list[str]  # the first ones of each line
    total: int  # of all
    away: list[str]  # lines whose server is away, of which nothing is known


def ids_in(queues: Sequence[str], where: Where, most: int) -> Listing:
    """The job ids in this place of the lines; of all lines together so many at most.

    Raises RedisError if no server answers.
    """
    ids, total, away = list[str](), 0, list[str]()
    for server in servers(queues):
        try:
            for queue in server.lines:
                listed, number = _listed(server.client, queue, where, most - len(ids))
                ids += listed
                total += number
        except redis.RedisError:
            if len(away) + len(server.lines) == len(queues):
                raise
            away += server.lines
    return Listing(ids, total, away)


def _listed(client: redis.Redis, queue: str, where: Where, most: int) -> tuple[list[str], int]:
    """The first ids in this place of a line, and the number of all."""
    keys = line_keys(queue)
    if where == Where.CLAIMED:
        claims = cast("list[bytes]", client.hvals(keys.claims))
        return [as_text(claim).partition(":")[0] for claim in claims][:most], len(claims)
    key = {Where.LINE: keys.line, Where.HELD: keys.held, Where.UNSEEN: keys.unseen}[where]
    raw = cast("list[bytes]", client.zrange(key, 0, most - 1)) if most else []  # of 0 ids, it would be that of all
    return [as_text(job_id) for job_id in raw], int(client.zcard(key))
