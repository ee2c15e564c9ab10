"""The browsers of many who wait, on this site and in Gradio's queue. Both can do the same: come, reload, go.

On each side the first ones to come bring tasks that run all the while, as many as there are workers.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, cast

import psutil
from django.db import connections

from queueing.line.clients import connection
from queueing.line.places import get_line
from queueing.line.presence import GOODBYE
from queueing.work import standby
from tests.benchmarks import gradio_visits, sockets, visits
from tests.benchmarks.erlang import Person
from tests.benchmarks.gradio_side import Gradio
from tests.benchmarks.outcome import WORKERS
from tests.benchmarks.sides import Ours
from tests.benchmarks.ws_crowd import Page, open_all
from tests.support.processes import Processes
from tests.support.waiting import until

LONG = 3_600.0  # seconds of each task: the first ones run all the while
LOOK = 0.002  # seconds between two looks


class Browsers(Protocol):
    """The open pages of one side."""

    async def come(self, count: int) -> None:
        """So many more visitors join, each with a page."""

    async def reload(self, count: int) -> int:
        """The last of the pages are loaded again; returns how many have the place that they had."""

    async def count_waiting(self) -> int:
        """The visitors whom the side takes for waiting and present."""

    def close_one(self) -> None:
        """The last page is closed."""

    def silence(self, number: int) -> None:
        """The page of that number neither reads nor answers any more, while its TCP connection stays up."""

    def processes(self) -> list[psutil.Process]:
        """All processes of the side."""


@dataclass(slots=True)
class Tab:
    """A visitor's entry on this site, and the page of it that is open."""

    job_id: bytes
    path: str
    headers: dict[str, str]
    page: Page | None = None


class OnOurs:
    """Sockets of this site. Visitors join in this process, by the service that the form's view calls."""

    def __init__(self, site: Ours, processes: Processes) -> None:
        self._site, self._processes, self._line = site, processes, get_line("probe")
        self._tabs: list[Tab] = []
        self._executor = ThreadPoolExecutor(1)

    async def come(self, count: int) -> None:
        first, loop = len(self._tabs), asyncio.get_running_loop()
        self._tabs += [await loop.run_in_executor(self._executor, self._join, first + more) for more in range(count)]
        await self._open(self._tabs[first:])
        await wait_for_count(self, len(self._tabs) - WORKERS)
        await until(self._has_standbys)  # their memory is none of the visitors'

    async def reload(self, count: int) -> int:
        before, again = self._ids(), self._tabs[-count:]
        for tab in again:
            self._close(tab)
        await wait_for_count(self, len(before) - count)
        await self._open(again)
        await wait_for_count(self, len(before))
        after = self._ids()
        return sum(before.index(tab.job_id) == after.index(tab.job_id) for tab in again)

    async def count_waiting(self) -> int:
        return int(self._line.client.zcard(self._line.keys.line))

    def close_one(self) -> None:
        self._close(self._tabs.pop())

    def silence(self, number: int) -> None:
        page = self._tabs[number].page
        assert page is not None
        page.fall_silent()

    def processes(self) -> list[psutil.Process]:
        valkey = int(connection().info("server")["process_id"])
        return _families([valkey, *(one.pid for one in self._processes.running if one.poll() is None)])

    def stop(self) -> None:
        self._executor.submit(connections.close_all).result()
        self._executor.shutdown()

    def _join(self, number: int) -> Tab:
        visit = visits.new_visit(number, Person(0, LONG, LONG))
        entry = visits.join(visit, self._site.folder / "long")
        headers = sockets.headers(self._site.web.port) | {"Cookie": visit.cookie}
        return Tab(entry.job_id.encode(), f"/ws/entry/{entry.code}/", headers)

    async def _open(self, tabs: Sequence[Tab]) -> None:
        pages = [Page(tab.path, tab.headers) for tab in tabs]
        await open_all(self._site.web.port, pages)
        for tab, page in zip(tabs, pages, strict=True):
            tab.page = page

    def _close(self, tab: Tab) -> None:
        assert tab.page is not None
        tab.page.close(GOODBYE)

    async def _has_standbys(self) -> bool:
        return sum(process.name() == standby.NAME for process in self.processes()) == WORKERS

    def _ids(self) -> list[bytes]:
        return cast("list[bytes]", self._line.client.zrange(self._line.keys.line, 0, -1))


class OnGradio:
    """Streams of Gradio. A page that is loaded again has a new session, as Gradio's script makes it."""

    def __init__(self, site: Gradio) -> None:
        self._site = site
        self._streams: list[gradio_visits.Stream] = []

    async def come(self, count: int) -> None:
        for _ in range(count):
            number = len(self._streams)
            stream = await gradio_visits.join(self._site.port, self._site.folder / "long", number, LONG)
            self._streams.append(stream)
        await wait_for_count(self, len(self._streams) - WORKERS)

    async def reload(self, count: int) -> int:
        before = await self.count_waiting()
        for _ in range(count):
            self.close_one()
        await asyncio.sleep(1)
        kept = count - before + await self.count_waiting()
        await self.come(count)
        return kept

    async def count_waiting(self) -> int:
        return await gradio_visits.length(self._site.port)

    def close_one(self) -> None:
        self._streams.pop().close()

    def silence(self, number: int) -> None:
        self._streams[number].fall_silent()

    def processes(self) -> list[psutil.Process]:
        return _families([self._site.process.pid])


async def wait_for_count(side: Browsers, count: int) -> None:
    """Wait until the side counts so many who wait."""

    async def is_counted() -> bool:
        return await side.count_waiting() == count

    await until(is_counted, every=LOOK)


def _families(pids: Sequence[int]) -> list[psutil.Process]:
    """These processes, and those that they have started."""
    found = [psutil.Process(pid) for pid in pids]
    return found + [child for one in found for child in one.children(recursive=True)]
