"""Two web hosts share the pages of one long line: fresh positions, a host that dies, its return, and throughput.

Pages and requests go to the two processes in turn, as a proxy would send them. BENCH_PAGES=1000 tries it small.
"""

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import psutil

from queueing.conf import conf
from queueing.models import Entry
from tests.benchmarks import hosts_throughput, processes, sockets, storm
from tests.benchmarks.report import Row
from tests.benchmarks.ws_crowd import open_all, raise_limit

PAGES = int(os.environ.get("BENCH_PAGES", "10000"))
PATIENCE = 180.0  # seconds


def rows() -> Iterator[Row]:
    raise_limit(PAGES + 2_000)
    with processes.running(("manage.py", "keeper")):
        found = asyncio.run(_measure())
    yield Row(
        "two web hosts: everybody behind a departure knows (p99)", "s",
        [float(np.percentile(window, 99)) for window in found.lateness], "<=", 2.0, database="yes",
        meaning=f"{PAGES:,} pages in turn at two processes, five departures a second at the head for a minute, by "
        f"windows of {sockets.LEAVING:.0f} s. The two took {found.busy[0]:.0f} % and {found.busy[1]:.0f} % of a core, "
        f"{_generator(found.generator)}",
    )  # fmt: skip
    yield from _moves("kill -9 of one: its pages are at the other", found.killed, PAGES // 2)
    yield from _moves("the first is there again, SIGTERM of the other: all pages share them", found.ended, PAGES)
    yield from hosts_throughput.rows()


@dataclass(frozen=True, slots=True)
class Move:
    """The pages of a process on their way to another one."""

    back: "np.ndarray"  # seconds from the signal to each page's first frame
    held: int  # at most, at one moment
    is_in_order: bool
    generator: float  # % of a core


@dataclass(frozen=True, slots=True)
class Found:
    lateness: list["np.ndarray"]  # seconds, by windows
    busy: tuple[float, float]  # % of a core
    generator: float  # % of a core, meanwhile
    killed: Move
    ended: Move


def _moves(what: str, move: Move, pages: int) -> Iterator[Row]:
    back = move.back
    yield Row(
        f"two web hosts: {what}", "s", [float(np.max(back))], "<=", 15, database="yes",
        meaning=f"From the signal until the last of {pages:,} pages has its first frame. Half of them have it after "
        f"{np.median(back):.1f} s, 99 of 100 after {np.percentile(back, 99):.1f} s; {_generator(move.generator)}",
    )  # fmt: skip
    yield Row("... of which the keeper held, at most", "", [move.held], "<=", 0, database="yes")
    yield Row("... and stand in the order of the line", "", [int(move.is_in_order)], ">=", 1, database="yes")


def _generator(share: float) -> str:
    bound = ": it is the bound." if share > 100 else "."
    return f"the generator {share:.0f} %{bound}"


async def _measure() -> Found:
    entries, cookie = await asyncio.to_thread(sockets.wait_in_line, PAGES)
    with sockets.web(sockets.OURS) as (first, port), sockets.web(sockets.OURS) as (second, other):
        ports = (port, other)
        pages = await _open(entries, cookie, ports)
        lateness, busy, generator, gone = await _depart(entries, pages, (first, second))
        left = list(enumerate(entries[gone:]))  # with their places
        storm.forget_start()
        killed = await _leave(first, left[gone % 2 :: 2], cookie, [other], is_killed=True)
        with _again(port):
            ended = await _leave(second, left, cookie, ports, is_killed=False)
    return Found(lateness, busy, generator, killed, ended)


@contextmanager
def _again(port: int) -> Iterator[None]:
    """The killed process is started again, and listens."""
    with sockets.started(sockets.OURS, port):
        storm.listening_at(port)
        yield


async def _open(entries: Sequence[Entry], cookie: str, ports: tuple[int, int]) -> list[sockets.WaitingPage]:
    """The pages in the order of the line, in turn at either process."""
    made = [
        sockets.WaitingPage(
            f"/ws/entry/{entry.code}/?have=waiting", sockets.headers(ports[number % 2]) | {"Cookie": cookie}
        )
        for number, entry in enumerate(entries)
    ]
    for number, port in enumerate(ports):
        await open_all(port, made[number::2])
    await asyncio.sleep(2 * conf.HEARTBEAT_INTERVAL)
    assert not any(page.is_lost for page in made)
    return made


async def _depart(
    entries: Sequence[Entry], pages: Sequence[sockets.WaitingPage], webs: Sequence[psutil.Process]
) -> tuple[list["np.ndarray"], tuple[float, float], float, int]:
    """Departures at the head; lateness by windows, the CPU of both processes and of this one, and their number."""
    everybody = [*webs, psutil.Process()]
    before, seconds = [process.cpu_times() for process in everybody], sockets.WINDOWS * sockets.LEAVING
    departures = await sockets.depart(entries[: len(entries) // 2])
    first, second, generator = (
        sockets.share_of_core(process, times, seconds) for process, times in zip(everybody, before, strict=True)
    )
    await asyncio.sleep(sockets.SETTLE)
    gone = len(departures)
    assert not any(page.is_lost for page in pages[gone:])
    windows = np.array_split(np.arange(gone), sockets.WINDOWS)
    return [sockets.lateness_of(departures, pages, window) for window in windows], (first, second), generator, gone


async def _leave(
    web: psutil.Process, entries: Sequence[tuple[int, Entry]], cookie: str, ports: Sequence[int], *, is_killed: bool
) -> Move:
    """This process is killed, or told to end and started again; the pages of these entries come to these ports."""
    visits = [storm.Visit(str(entry.code), place, cookie) for place, entry in entries]
    held = asyncio.create_task(storm.most_held())
    began, before = time.monotonic(), psutil.Process().cpu_times()
    web.kill() if is_killed else web.terminate()
    again = nullcontext() if is_killed else sockets.started(sockets.OURS, ports[-1])
    with again:
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            for visit in visits:
                group.create_task(visit.come_back(*ports))
        back = np.array([visit.back_at for visit in visits]) - began
        generator = sockets.share_of_core(psutil.Process(), before, float(np.max(back)))
        await asyncio.sleep(sockets.SETTLE)  # until a keeper would have noticed
    held.cancel()
    with suppress(psutil.NoSuchProcess):
        await asyncio.to_thread(web.wait, PATIENCE)
    is_in_order = all(ahead.ahead < behind.ahead for ahead, behind in pairwise(visits))
    return Move(back, await held, is_in_order, generator)
