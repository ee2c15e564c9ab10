"""1,000 visitors who wait on this site, and as many in Gradio's queue, at the same time.

Each side works on two long tasks meanwhile. Measured: what it takes at rest, and how soon it notices who goes.
"""

import asyncio
import time
from dataclasses import dataclass, field

from tests.benchmarks.gradio_browsers import Browsers, OnGradio, OnOurs, wait_for_count
from tests.benchmarks.outcome import WORKERS

CLIENTS = 1_000
STEPS = 5  # of their coming; the memory of each is a value
SETTLE = 1.0  # seconds
WINDOWS = 3  # of rest; each is a value
REST = 15.0  # seconds of one window: in it Gradio sends each client one heartbeat
RELOADS = 100
CLOSED = SILENT = 10
BOUND = 60.0  # seconds for which silent pages are watched


@dataclass(slots=True)
class Measured:
    """One side."""

    memory: list[float] = field(default_factory=list)  # KB a client
    rest: list[float] = field(default_factory=list)  # % of a core
    kept: int = 0  # places after the reloads
    closed: list[float] = field(default_factory=list)  # seconds until a closed page was noticed
    silent: list[float] = field(default_factory=list)  # seconds until a silent page was noticed; BOUND: not in it


async def measure(ours: OnOurs, rival: OnGradio) -> list[Measured]:
    """This site, and Gradio."""
    sides: list[tuple[Browsers, Measured]] = [(ours, Measured()), (rival, Measured())]
    await asyncio.gather(*(_come(side, measured) for side, measured in sides))
    for _ in range(WINDOWS):
        used = [_seconds(side) for side, _ in sides]
        await asyncio.sleep(REST)
        for (side, measured), before in zip(sides, used, strict=True):
            measured.rest.append(100 * (_seconds(side) - before) / REST)
    for side, measured in sides:
        measured.kept = await side.reload(RELOADS)
        measured.closed = [await _notice_closed(side) for _ in range(CLOSED)]
    silent = await asyncio.gather(*(_notice_silent(side) for side, _ in sides))
    for (_, measured), seconds in zip(sides, silent, strict=True):
        measured.silent = seconds
    return [measured for _, measured in sides]


async def _come(side: Browsers, measured: Measured) -> None:
    await side.come(WORKERS)
    for _ in range(STEPS):
        before = _memory(side)
        await side.come(CLIENTS // STEPS)
        await asyncio.sleep(SETTLE)
        measured.memory.append((_memory(side) - before) / 1024 / (CLIENTS // STEPS))


async def _notice_closed(side: Browsers) -> float:
    before, began = await side.count_waiting(), time.monotonic()
    side.close_one()
    await wait_for_count(side, before - 1)
    return time.monotonic() - began


async def _notice_silent(side: Browsers) -> list[float]:
    before, began = await side.count_waiting(), time.monotonic()
    for number in range(SILENT):  # of those who came at different times: pings have their phases
        side.silence(WORKERS + number * CLIENTS // (2 * SILENT))
    noticed: list[float] = []
    while len(noticed) < SILENT and (passed := time.monotonic() - began) < BOUND:
        gone = before - await side.count_waiting()
        noticed += [passed] * (gone - len(noticed))
        await asyncio.sleep(0.1)
    return noticed + [BOUND] * (SILENT - len(noticed))


def _memory(side: Browsers) -> int:
    """Bytes of all processes; a page that forked processes share counts once."""
    return sum(process.memory_full_info().pss for process in side.processes())


def _seconds(side: Browsers) -> float:
    """Seconds of computing so far, also those of processes that have ended."""
    return float(sum(sum(process.cpu_times()[:4]) for process in side.processes()))
