"""The places of many entries of one line, in few round trips."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import batched, count
from typing import NamedTuple, cast

from queueing.line import scripts
from queueing.line.clients import AsyncRedis
from queueing.line.keys import LineKeys, facts_key, line_keys
from queueing.line.levers import SUSPENDED
from queueing.line.places import Place, Written
from queueing.line.scripts import Ranked

WHOLE_LINE = 100  # entries from which one read of the whole line may beat a rank for each
A_RANK = 4  # places of the whole line that are read in the time of one rank
RANKS = 500  # ranks that one call of the script finds; as many block everybody for about 1 ms
WINDOW = 1000  # ids that one call of the script reads; with as many held it blocks everybody for 0.6 ms


class News(NamedTuple):
    """The news of a line. While the news do not change, the numbers of all pages of the line do not, either."""

    version: bytes | None
    epoch: bytes | None  # None: places are on their way back, and none is known
    written: Written


async def read_news(client: AsyncRedis, queue: str) -> News:
    """The news of a line at this moment."""
    line = line_keys(queue)
    values = await client.mget(line.version, line.epoch, facts_key(queue), line.levers, SUSPENDED)
    version, epoch, *written = cast("list[bytes | None]", values)
    return News(version, epoch, Written(*written))


async def find(client: AsyncRedis, queue: str, entries: Sequence[Ranked]) -> Iterable[Place | None]:
    """The place of each (job id, score); None for an entry that has none (claimed, running, over)."""
    line = line_keys(queue)
    is_many = len(entries) >= WHOLE_LINE and await client.zcard(line.line) <= A_RANK * len(entries)
    return await (_read_line if is_many else _rank_each)(client, line, entries)


async def _rank_each(client: AsyncRedis, line: LineKeys, entries: Sequence[Ranked]) -> list[Place | None]:
    places: list[Place | None] = []
    for batch in batched(entries, RANKS):
        found = await scripts.ranks(client, line, batch)
        places += [None if place is None else Place(*place) for place in found]
    return places


async def _read_line(client: AsyncRedis, line: LineKeys, entries: Sequence[Ranked]) -> list[Place | None]:
    ids, held_scores = list[str](), list[float]()
    for first in count(step=WINDOW):
        window = await scripts.order(client, line, first=first, window=WINDOW)
        ids += window.ids
        held_scores += window.held_scores
        if max(len(window.ids), len(window.held_scores)) < WINDOW:
            break
    ranks = {job_id: rank for rank, job_id in enumerate(ids)}
    return [
        None if (rank := ranks.get(job_id)) is None else Place(rank, bisect_left(held_scores, score))
        for job_id, score in entries
    ]
