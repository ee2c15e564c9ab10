"""The stand of entries for lists of staff: in the line, held, unseen, or claimed."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, cast

from queueing.line.clients import connection
from queueing.line.keys import line_keys, presence_key
from queueing.line.scripts import as_text


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


def stands(entries: Sequence[Listed]) -> list[Stand]:
    """The stand of each of them, in two round trips. Raises RedisError."""
    client = connection()
    queues = sorted({entry.queue for entry in entries})
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
    found = []
    for index, entry in enumerate(entries):
        line, held, unseen, ahead, due, present = replies[6 * index : 6 * index + 6]
        places = ((Where.LINE, line), (Where.HELD, held), (Where.UNSEEN, unseen))
        where = next((where for where, score in places if score is not None), None)
        if where is None and entry.job_id in claimed:
            where = Where.CLAIMED
        left = max(0.0, due / 1000 - (seconds + micros / 1e6)) if due is not None and where != Where.LINE else None
        found.append(Stand(where, ahead, left, bool(present)))
    return found


class Listing(NamedTuple):
    """The ids in one kind of place."""

    ids: list[str]  # the first ones of each line
    total: int  # of all


def ids_in(queues: Sequence[str], where: Where, most: int) -> Listing:
    """The job ids in this place of the lines; of all lines together so many at most. Raises RedisError."""
    client, ids, total = connection(), list[str](), 0
    for queue in queues:
        keys = line_keys(queue)
        if where == Where.CLAIMED:
            claims = cast("list[bytes]", client.hvals(keys.claims))
            found, number = [as_text(claim).partition(":")[0] for claim in claims], len(claims)
        else:
            key = {Where.LINE: keys.line, Where.HELD: keys.held, Where.UNSEEN: keys.unseen}[where]
            # Of 0 ids, the range would be that of all.
            raw = cast("list[bytes]", client.zrange(key, 0, most - len(ids) - 1)) if most > len(ids) else []
            found, number = [as_text(job_id) for job_id in raw], client.zcard(key)
        ids += found[: most - len(ids)]
        total += number
    return Listing(ids, total)
