"""Where many entries of one line stand, in few round trips."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import count
from typing import cast

import redis.asyncio

from queueing import keys
from queueing.snapshot import Place

WHOLE_LINE = 100  # entries from which one read of the whole line beats a rank for each
WINDOW = 1000  # ids that one call of the script reads; it blocks everybody for 0.6 ms, with as many held


async def find(client: redis.asyncio.Redis, queue: str, entries: Sequence[tuple[str, float]]) -> Iterable[Place | None]:
    """The place of each (job id, score); None for those who have none (claimed, running, over)."""
    look = _rank_each if len(entries) < WHOLE_LINE else _read_line
    return await look(client, keys.line_keys(queue), entries)


async def _rank_each(
    client: redis.asyncio.Redis, line: keys.LineKeys, entries: Sequence[tuple[str, float]]
) -> list[Place | None]:
    async with client.pipeline(transaction=False) as pipe:
        for job_id, score in entries:
            pipe.zrank(line.line, job_id)
            pipe.zcount(line.held, "-inf", f"({score}")
        replies = await pipe.execute()
    return [
        None if rank is None else Place(rank, held_ahead)
        for rank, held_ahead in zip(replies[::2], replies[1::2], strict=True)
    ]


async def _read_line(
    client: redis.asyncio.Redis, line: keys.LineKeys, entries: Sequence[tuple[str, float]]
) -> list[Place | None]:
    script, order, scores = keys.async_script(client, "order"), list[str](), list[float]()
    for first in count(step=WINDOW):
        reply = cast(list[bytes], await script(keys=keys.as_list(line), args=[first, WINDOW]))
        in_line, in_held = reply[0].decode().split(), reply[1].split()
        order += in_line
        scores += map(float, in_held)
        if max(len(in_line), len(in_held)) < WINDOW:
            break
    ranks = {job_id: rank for rank, job_id in enumerate(order)}
    return [
        None if (rank := ranks.get(job_id)) is None else Place(rank, bisect_left(scores, score))
        for job_id, score in entries
    ]
