"""5,000 open pages on one daphne: what they cost at rest, and how soon they know when the line moves.

Our web process runs as in the Procfile; each page has an entry of its own, opened through the real handshake.
The rival is a plain daphne with the same options whose application accepts a socket and holds it.
"""

import asyncio
import gc
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np
import psutil
from django.contrib.auth.models import AnonymousUser
from django.db import connection as database
from django.test import Client
from django.utils import timezone

from queueing import ending
from queueing.facts import Facts
from queueing.line import keys
from queueing.line.places import get_line
from queueing.models import Entry
from queueing.web.command_line import BACKLOG, DEFAULTS, application
from queueing.web.visitor import Visitor
from tests.benchmarks.report import Row
from tests.benchmarks.ws_crowd import Page, open_all, raise_limit
from tests.support.servers import free_port
from tests.support.standing import stand
from tests.support.web import is_listening

SOCKETS = 5_000
STEPS = 5  # of opening them; the memory of each is a value
WINDOWS = 3  # of either phase; each is a value
REST = 10.0  # seconds of one window at rest: each page is pinged once in it, and told something once
LEAVING = 12.0  # seconds of one window of departures
PACE = 0.2  # seconds between two departures
SETTLE = 2.0  # seconds
# All of these pages are of one visitor at one address.
LIMITED = ("MAX_PAGES_PER_VISITOR", "MAX_PAGES_PER_ADDRESS", "MAX_CONNECTIONS_PER_ADDRESS", "MAX_LINE")
LIMITS = {f"QUEUEING_{name}": "1000000" for name in LIMITED} | {"TRUSTED_PROXIES": "127.0.0.1"}
OURS = application()
FACTS = Facts(
    workers=2,
    running=2,
    busy=2,
    return_share=0.5,
    waits=tuple((n * n, 8.0 * n * n, 12.0 * n * n + 20) for n in range(105)),
)


def rows() -> Iterator[Row]:
    raise_limit(2 * SOCKETS)
    ours, bare = asyncio.run(_measure())
    yield Row(
        "everybody behind a departure knows (p99)",
        "s",
        [float(np.percentile(window, 99)) for window in ours.lateness],
        "<=",
        2.0,
        meaning=f"{SOCKETS:,} pages, five departures a second at the head for a minute: from just before the row of "
        "who leaves is cancelled until a frame with a place that reflects it has reached a page, for each departure "
        f"and each page behind it, by windows of {LEAVING:.0f} s. Over the minute the median was "
        f"{np.median(np.concatenate(ours.lateness)):.2f} s, the longest {max(map(np.max, ours.lateness)):.2f} s; "
        f"daphne used {ours.busy:.0f} % of a core.",
        database="yes",
    )
    cpu = Row(
        f"daphne's CPU, {SOCKETS:,} pages at rest",
        "%",
        ours.rest,
        "<=",
        10,
        rival=bare.rest,
        meaning=f"Of one core, while nobody comes or goes, by windows of {REST:.0f} s: beats, pings, and a frame for "
        "each page after 10 s of silence. The rival only pings.",
    )
    yield cpu
    yield replace(
        cpu,
        name="... beside a daphne that only holds sockets",
        bound=1.4,
        of="ratio",
        meaning="The bound of 10 % belongs to a machine on which the rival takes 4 %. On a slower one the ratio is the "
        "same: both rest in the same seconds.",
    )
    yield Row(
        "opening a page, CPU of the web process",
        "ms",
        ours.handshake,
        "<=",
        2,
        rival=bare.handshake,
        meaning=f"While {SOCKETS // STEPS:,} come back together, as after a restart: the handshake with session, row, "
        "place, first beat and first frame, and the frames of the two seconds after it. The rival accepts the socket.",
        database="yes",
    )
    yield Row(
        "memory of a socket",
        "KB",
        ours.memory,
        "<=",
        40,
        rival=bare.memory,
        meaning=f"Growth of daphne's RSS, by steps of {SOCKETS // STEPS:,} pages in one run. Ours were opened, with "
        f"session, row and first frame, in {ours.opening:.0f} s; the rival's in {bare.opening:.0f} s.",
    )


@dataclass(slots=True)
class Measured:
    memory: list[float] = field(default_factory=list)  # KB a socket
    opening: float = 0.0  # seconds for all of them
    handshake: list[float] = field(default_factory=list)  # ms of CPU a socket
    rest: list[float] = field(default_factory=list)  # % of a core
    busy: float = 0.0  # % of a core
    lateness: list["np.ndarray"] = field(default_factory=list)  # seconds, by windows


class WaitingPage(Page):
    """Notes when it was told which place, and goes when its entry is over."""

    def __init__(self, path: str, headers: dict[str, str]) -> None:
        super().__init__(path, headers)
        self.times: list[float] = []
        self.ahead: list[int] = []

    def hear(self, text: bytes) -> None:
        frame = json.loads(text)
        if frame["type"] != "status":
            return
        if frame["status"] != "waiting":
            self._note(-1)
            self.close()
        elif frame["ahead"] is not None:
            self._note(frame["ahead"])

    def _note(self, ahead: int) -> None:
        self.times.append(time.monotonic())
        self.ahead.append(ahead)


async def _measure() -> tuple[Measured, Measured]:
    ours, bare = Measured(), Measured()
    entries, cookie = await asyncio.to_thread(wait_in_line, SOCKETS)
    with web(OURS) as (daphne, port):
        signed_in = headers(port) | {"Cookie": cookie}
        pages = [WaitingPage(f"/ws/entry/{entry.code}/?have=waiting", signed_in) for entry in entries]
        with web("tests.benchmarks.bare:application") as (rival, rival_port):
            await open_in_steps(rival, rival_port, [Page("/", headers(rival_port)) for _ in range(SOCKETS)], bare)
            await open_in_steps(daphne, port, pages, ours)
            ours.rest, bare.rest = await rest(daphne, rival)
        before = daphne.cpu_times()
        departures = await depart(entries)
        ours.busy = share_of_core(daphne, before, WINDOWS * LEAVING)
        await asyncio.sleep(SETTLE)
        assert not any(page.is_lost for page in pages[len(departures) :])
    windows = np.array_split(np.arange(len(departures)), WINDOWS)
    ours.lateness = [lateness_of(departures, pages, window) for window in windows]
    return ours, bare


def wait_in_line(pages: int) -> tuple[list[Entry], str]:
    """As many waiting entries, in order, of one visitor; and the cookie of that visitor's session."""
    session = Client().session
    visitor = uuid.uuid4()
    Visitor(session, AnonymousUser()).remember(visitor)
    session.save()
    Entry.objects.bulk_create(
        [
            Entry(queue="probe", task_path="tests.support.probe.probe", visitor=visitor, seen_at=timezone.now())
            for _ in range(pages)
        ],
        batch_size=500,
    )
    entries, line = list(Entry.objects.order_by("id")), get_line("probe")
    for entry in entries:
        stand(line, entry.job_id, entry.score, presence=600)  # until its page is open, which renews it
    line.client.set(keys.facts_key("probe"), json.dumps(asdict(FACTS)))  # what a keeper would write
    database.close()
    return entries, f"sessionid={session.session_key}"


@contextmanager
def web(served: str) -> Iterator[tuple[psutil.Process, int]]:
    """A web process as in the Procfile; for another application than ours, a plain daphne with the same options."""
    port = free_port()
    with started(served, port) as process:
        while not is_listening(port):
            assert process.poll() is None, "daphne does not start"
            time.sleep(0.1)
        yield psutil.Process(process.pid), port


@contextmanager
def started(served: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The process of `web`, which does not listen yet."""
    if served == OURS:
        command = ["-m", "config.serve", "--port", str(port)]
    else:
        endpoint = f"tcp:port={port}:interface=127.0.0.1:backlog={BACKLOG}"
        options = {"--" + name.replace("_", "-"): str(value) for name, value in DEFAULTS.items()}
        command = ["-m", "daphne", "--endpoint", endpoint, *chain.from_iterable(options.items()), served]
    command = [sys.executable, *command, "-v", "0"]
    process = subprocess.Popen(command, env=os.environ | LIMITS, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait(20)


def headers(port: int) -> dict[str, str]:
    return {
        "Host": f"127.0.0.1:{port}",
        "Origin": f"http://127.0.0.1:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }


async def open_in_steps(daphne: psutil.Process, port: int, pages: Sequence[Page], measured: Measured) -> None:
    """Open all pages; note the memory and the CPU that each step costs the server."""
    for step in range(STEPS):
        before, began, times = daphne.memory_info().rss, time.monotonic(), daphne.cpu_times()
        some = pages[step * SOCKETS // STEPS : (step + 1) * SOCKETS // STEPS]
        await open_all(port, some)
        measured.opening += time.monotonic() - began
        await asyncio.sleep(SETTLE)  # the last ones get their first frame, and numbers if they moved
        assert not any(page.is_lost for page in some)
        measured.memory.append((daphne.memory_info().rss - before) / 1024 / len(some))
        measured.handshake.append(10 * share_of_core(daphne, times, 1.0) / len(some))


async def rest(*daphnes: psutil.Process) -> list[list[float]]:
    """While nobody comes or goes: of each process, the % of a core in each window."""
    windows = []
    for _ in range(WINDOWS):
        before = [daphne.cpu_times() for daphne in daphnes]
        await asyncio.sleep(REST)
        windows.append([share_of_core(daphne, times, REST) for daphne, times in zip(daphnes, before, strict=True)])
    return [list(shares) for shares in zip(*windows, strict=True)]


def share_of_core(daphne: psutil.Process, before: Any, seconds: float) -> float:
    now = daphne.cpu_times()
    return float(100 * (now.user + now.system - before.user - before.system) / seconds)


async def depart(entries: Sequence[Entry]) -> "np.ndarray":
    """One after the other leaves at the head; the moments."""
    gc.freeze()  # the crowd must not stop to collect its own garbage while it is told
    moments, began = [], time.monotonic()
    for number in range(round(WINDOWS * LEAVING / PACE)):
        await asyncio.sleep(began + number * PACE - time.monotonic())
        moments.append(time.monotonic())
        await asyncio.to_thread(ending.leave, entries[number])
    await asyncio.sleep(began + WINDOWS * LEAVING - time.monotonic())
    return np.array(moments)


def lateness_of(moments: "np.ndarray", pages: Sequence[WaitingPage], departures: "np.ndarray") -> "np.ndarray":
    """Seconds from each of these departures until each page behind it knew; infinite when it never did."""
    late = []
    for place, page in enumerate(pages):
        ahead = np.minimum.accumulate(np.array(page.ahead))
        times = np.append(page.times, np.inf)
        known = departures[departures < place]
        # The first frame that says: at most so many, now that those up to this departure are gone.
        first = np.searchsorted(-ahead, -(place - known - 1))
        late.append(times[first] - moments[known])
    return np.concatenate(late)
