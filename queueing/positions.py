"""Where many entries of one line stand, in one round trip."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import cast

import redis.asyncio

from queueing import keys
from queueing.snapshot import Place

WHOLE_LINE = 100  # entries from which one read of the whole line beats a rank for each


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
    reply = await keys.async_script(client, "order")(keys=keys.as_list(line))
    order, held = (text.decode().split() for text in cast(list[bytes], reply))
    ranks = {job_id: rank for rank, job_id in enumerate(order)}
    scores = [float(score) for score in held]
    return [
        None if (rank := ranks.get(job_id)) is None else Place(rank, bisect_left(scores, score))
        for job_id, score in entries
    ]
