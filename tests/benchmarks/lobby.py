"""10,000 open pages in one process, without their sockets: what a beat costs, and what it costs to know all numbers."""

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict
from typing import Any

from queueing.facts import Facts
from queueing.line import keys, positions
from queueing.line.places import get_line
from queueing.line.scripts import Ranked
from queueing.models import Entry
from queueing.web.lobby import Lobby
from queueing.web.rights import Right
from tests.benchmarks.report import Row
from tests.support.standing import stand

PAGES = 10_000
RUNS = 7
FACTS = Facts(
    workers=2,
    running=2,
    busy=2,
    return_share=0.5,
    waits=tuple((n * n, 8.0 * n * n, 12.0 * n * n + 20) for n in range(105)),
)


def rows() -> Iterator[Row]:
    beats, found, numbers, told = asyncio.run(_measure())
    yield Row(
        "a beat, for each visitor",
        "us",
        [seconds / PAGES * 1e6 for seconds in beats],
        "<=",
        3,
        meaning=f"Process CPU of one pulse of a Lobby with {PAGES:,} pages present, divided by their number.",
    )
    yield Row(
        f"positions of {PAGES:,} pages after a departure at the head",
        "ms",
        [seconds * 1000 for seconds in found],
        "<=",
        100,
        meaning="Process CPU of `positions.find` for all of them.",
    )
    yield Row(
        f"a whole tick for {PAGES:,} pages, all of whose numbers changed",
        "ms",
        [seconds * 1000 for seconds in numbers],
        meaning="Process CPU of one tick of the Lobby: positions, waits and sentences of each page; "
        f"everything but the sending. {told}",
    )


class Counter:
    """A page without a socket: counts what it is told."""

    told = 0

    right = Right("", is_of_browser=True, user_id=None)

    def __init__(self, entry: Entry) -> None:
        self.entry = entry

    async def send_numbers(self, _: Any) -> None:
        Counter.told += 1

    async def send_tick(self) -> None: ...
    async def refresh(self) -> None: ...
    async def go_elsewhere(self) -> None: ...
    async def lose_right(self) -> None: ...


async def _measure() -> tuple[list[float], list[float], list[float], str]:
    line, lobby = get_line("probe"), Lobby()
    line.client.set(keys.facts_key("probe"), json.dumps(asdict(FACTS)))
    entries = [Entry(id=number, code=uuid.uuid4(), queue="probe") for number in range(1, PAGES + RUNS + 1)]
    for entry in entries:
        stand(line, entry.job_id, entry.score, presence=600)
    await asyncio.gather(*(lobby.page_opened(Counter(entry), is_owner=True) for entry in entries[RUNS:]))
    beats = [await _cpu(lobby.pulse) for _ in range(RUNS)]
    await lobby.tick()
    numbers, found = [], []
    asked = [Ranked(entry.job_id, entry.score) for entry in entries[RUNS:]]
    for entry in entries[:RUNS]:
        line.remove_but_job(entry.job_id)
        found.append(await _cpu(lambda: positions.find(lobby.client, "probe", asked)))
        Counter.told = 0
        numbers.append(await _cpu(lobby.tick))
        assert Counter.told == PAGES
    stand(line, uuid.uuid4().hex, PAGES * 2, presence=60)  # somebody comes: the line moved, and nobody's number
    Counter.told = 0
    seconds = await _cpu(lobby.tick)
    await lobby.stop()
    return (
        beats,
        found,
        numbers,
        f"When somebody joined behind them it was {seconds * 1000:.0f} ms, and {Counter.told} were told.",
    )


async def _cpu(step: Callable[[], Awaitable[object]]) -> float:
    began = time.process_time()
    await step()
    return time.process_time() - began
