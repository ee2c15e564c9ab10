"""The storm: the only web process is killed, and the pages of a long line come back to the next one.

Each page does as `connection.js` and `polling.js` do: back-off with jitter, longer at the end of the line, and polls
while there is no socket. A keeper with the default settings watches who is gone.
"""

import asyncio
import json
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import psutil

from queueing.conf import conf
from queueing.line import keys
from queueing.line.places import get_line
from tests.benchmarks import processes, sockets
from tests.benchmarks.report import Row
from tests.benchmarks.ws_crowd import Page, open_all, raise_limit
from tests.support.web import is_listening

PAGES = 5_000
# Seconds, as in the page's scripts.
CONNECT_TIMEOUT, POLL_TIMEOUT = 10.0, 8.0
TURN, LONGEST_TURN, LONGEST_POLL_WAIT, POLL_INTERVAL = 0.002, 8.0, 23.0, 5.0
PATIENCE = 120.0  # seconds


def rows() -> Iterator[Row]:
    raise_limit(2 * PAGES)
    with processes.running(("manage.py", "keeper")):
        storm = asyncio.run(_measure())
    back, tenth = storm.back, PAGES // 10
    yield Row(
        f"{PAGES:,} pages are back after kill -9 of the one web process", "s", [float(np.max(back))], "<=", 15,
        database="yes",
        meaning="From the kill until the last page has its first frame from the next process, which starts at once "
        f"and takes connections after {storm.listening:.1f} s. "
        f"Half of them are back after {np.median(back):.1f} s, 99 of 100 after {np.percentile(back, 99):.1f} s; "
        f"{storm.polls:,} polls came beside the sockets. The generator took {storm.generator:.0f} % of a core.",
    )  # fmt: skip
    yield Row(
        "... of which the keeper held, at most", "", [storm.held], "<=", 0, database="yes",
        meaning="Places that it put aside, because their presence had run out.",
    )  # fmt: skip
    yield Row(
        "... and stand in the order of the line", "", [int(storm.is_in_order)], ">=", 1, database="yes",
        meaning="Those of the first tenth are back after "
        f"{np.median(back[:tenth]):.1f} s, those of the last after {np.median(back[-tenth:]):.1f} s.",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Storm:
    """Seconds from the kill to each page's first frame, in the order of the line; and what came beside it."""

    back: "np.ndarray"
    listening: float  # seconds from the kill until the next process takes connections
    polls: int
    held: int  # at most, at one moment
    is_in_order: bool
    generator: float  # % of a core


class Visit:
    """A page that has lost its socket, until it has a frame again."""

    def __init__(self, code: str, place: int, cookie: str) -> None:
        self.code, self.place, self.cookie = code, place, cookie
        self.ahead, self.back_at, self.polls = -1, -1.0, 0
        self.turn = min(LONGEST_TURN, TURN * place)

    async def come_back(self, *ports: int) -> None:
        """To the processes at these ports, in turn, as a proxy would send it."""
        polling = asyncio.create_task(self._poll(ports[self.place % len(ports)]))
        failures = 0
        while self.back_at < 0:
            failures += 1
            within = max(0.5 * 2 ** min(5, failures), self.turn)
            await asyncio.sleep(random.random() * within)  # noqa: S311  # jitter, no secret
            with suppress(OSError, TimeoutError):
                await self._connect(ports[(self.place + failures) % len(ports)])
        polling.cancel()

    async def _connect(self, port: int) -> None:
        told = asyncio.get_running_loop().create_future()

        class Returning(Page):
            def hear(self, text: bytes) -> None:
                if not told.done():
                    told.set_result(json.loads(text))

            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                if not told.done():
                    told.set_exception(ConnectionError("closed before its first frame"))

        headers = sockets.headers(port) | {"Cookie": self.cookie}
        page = Returning(f"/ws/entry/{self.code}/?have=waiting", headers)
        for future in (page.opened, told):
            future.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may wait any more
        async with asyncio.timeout(CONNECT_TIMEOUT):
            transport, _ = await asyncio.get_running_loop().create_connection(lambda: page, "127.0.0.1", port)
            try:
                frame = await told
            except BaseException:
                transport.close()
                raise
        self.ahead, self.back_at = frame["ahead"], time.monotonic()

    async def _poll(self, port: int) -> None:
        """Ask by HTTP, as a page without a socket does. The answer does not count as being back."""
        await asyncio.sleep(min(LONGEST_POLL_WAIT, 9 + 2 * max(1.0, self.turn)))
        request = f"GET /entry/{self.code}/status.json?have=waiting HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        request += f"Cookie: {self.cookie}\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n"
        while True:
            gap = POLL_INTERVAL * (1 + 2 * random.random())  # noqa: S311
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(POLL_TIMEOUT):
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    self.polls += 1
                    try:
                        writer.write(request.encode())
                        if b" 200 " in await reader.readline():
                            gap = POLL_INTERVAL
                        await reader.read()
                    finally:
                        writer.close()
            await asyncio.sleep(gap)


async def _measure() -> Storm:
    entries, cookie = await asyncio.to_thread(sockets.wait_in_line, PAGES)
    with sockets.web(sockets.OURS) as (first, port):
        signed_in = sockets.headers(port) | {"Cookie": cookie}
        await open_all(port, [Page(f"/ws/entry/{entry.code}/?have=waiting", signed_in) for entry in entries])
        await asyncio.sleep(2 * conf.HEARTBEAT_INTERVAL)
        forget_start()
        killed, before = time.monotonic(), psutil.Process().cpu_times()
        first.kill()
        first.wait()
        with sockets.started(sockets.OURS, port):
            visits = [Visit(str(entry.code), place, cookie) for place, entry in enumerate(entries)]
            held = asyncio.create_task(most_held())
            listening = asyncio.create_task(asyncio.to_thread(listening_at, port))
            async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
                for visit in visits:
                    group.create_task(visit.come_back(port))
            await asyncio.sleep(2)  # until a keeper would have noticed
            held.cancel()
            times = psutil.Process().cpu_times()
    busy = times.user + times.system - before.user - before.system
    back = np.array([visit.back_at for visit in visits]) - killed
    is_in_order = all(ahead.ahead < behind.ahead for ahead, behind in pairwise(visits))
    return Storm(
        back,
        await listening - killed,
        sum(visit.polls for visit in visits),
        await held,
        is_in_order,
        100 * busy / float(np.max(back)),
    )


def forget_start() -> None:
    """As if the web processes had started long ago. After a start the keeper holds nobody for a while."""
    get_line("probe").client.delete(keys.RETURNED)


def listening_at(port: int) -> float:
    """The moment at which a server takes connections at this port."""
    processes.wait_for(lambda: is_listening(port), every=0.05)
    return time.monotonic()


async def most_held() -> int:
    """The largest number of held places until this is cancelled."""
    line, most = get_line("probe"), 0
    with suppress(asyncio.CancelledError):
        while True:
            most = max(most, len(await asyncio.to_thread(line.held_ids)))
            await asyncio.sleep(0.25)
    return most
