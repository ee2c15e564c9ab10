"""A crowd's visit to the site: everybody joins, opens the page's socket, and waits for as long as their patience.

A visitor whose patience is over closes the page. Silent visitors stop reading and answering instead, while their TCP
connection stays up, as when a telephone sleeps.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Collection, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.core.files.base import ContentFile
from django.db import connections
from websockets.asyncio.client import ClientConnection, connect

from queueing import joining, registry
from queueing.conf import conf
from queueing.models import Entry
from queueing.web.visitor import Visitor
from tests.benchmarks.erlang import Person
from tests.benchmarks.rest import rest_task
from tests.support.waiting import until

LEAVING = 4001  # what the page's goodbye says
LONGEST = 120.0  # seconds for which the silent ones of a crowd may be worked for


@dataclass(slots=True)
class Visit:
    """The actions and observations of one visitor; clocks are `time.time()`."""

    number: int
    person: Person
    visitor: uuid.UUID
    cookie: str
    is_silent: bool = False  # leaves without closing the page
    arrived: float = 0.0
    left: float | None = None  # None: stayed until it was their turn
    status: str = ""  # the last one shown
    # The first wait that was shown, in seconds, and when that was.
    shown: tuple[float, float] | None = None
    shown_at: float = 0.0


def visit(
    crowd: Sequence[Person], port: int, log: Path, is_idle: Callable[[], bool], silent: Collection[int] = ()
) -> list[Visit]:
    """Play the crowd; returns when the last one has left or has been served.

    Silent visitors keep their connections until `is_idle` says that nobody is worked for any more.
    """
    visits = [new_visit(number, person, is_silent=number in silent) for number, person in enumerate(crowd)]
    # One thread: they join in the order in which they come.
    with ThreadPoolExecutor(1) as executor:
        asyncio.run(_visit_all(visits, port, log, executor, is_idle))
        executor.submit(connections.close_all).result()
    return visits


def new_visit(number: int, person: Person, *, is_silent: bool = False) -> Visit:
    """A browser that has been here before: it has a session."""
    session = SessionStore()
    visitor = uuid.uuid4()
    Visitor(session, AnonymousUser()).remember(visitor)
    session.save()
    return Visit(number, person, visitor, f"sessionid={session.session_key}", is_silent)


async def _visit_all(
    visits: list[Visit], port: int, log: Path, executor: Executor, is_idle: Callable[[], bool]
) -> None:
    begin, over = time.time() + 0.5, asyncio.Event()
    in_executor = partial(asyncio.get_running_loop().run_in_executor, executor)
    async with asyncio.TaskGroup() as group:
        tasks = {
            one.number: group.create_task(_come_and_go(one, begin, port, partial(in_executor, join, one, log), over))
            for one in visits
        }
        await asyncio.wait([tasks[one.number] for one in visits if not one.is_silent])
        await until(partial(in_executor, is_idle), LONGEST)
        over.set()


async def _come_and_go(
    one: Visit, begin: float, port: int, joined: Callable[[], Awaitable[Entry]], over: asyncio.Event
) -> None:
    await asyncio.sleep(begin + one.person.arrival - time.time())
    one.arrived = time.time()
    entry = await joined()
    site = f"127.0.0.1:{port}"
    page = connect(
        f"ws://{site}/ws/entry/{entry.code}/",
        origin=f"http://{site}",  # type: ignore[arg-type]  # a NewType of str
        additional_headers={"Cookie": one.cookie},
        proxy=None,
        ping_interval=None,  # browsers send none
    )
    async with page as socket:
        await _wait(one, socket)
        while one.status in {"waiting", "running"} and one.left is None:
            _note(one, await socket.recv())
        if one.left is not None and one.is_silent:
            socket.transport.pause_reading()
            await over.wait()
            socket.transport.abort()
        elif one.left is not None:
            await socket.close(LEAVING)


async def _wait(one: Visit, socket: ClientConnection) -> None:
    """Until it is their turn, or patience is over; nobody leaves before having seen the page once."""
    _note(one, await socket.recv())
    while one.status == "waiting":
        try:
            async with asyncio.timeout(one.arrived + one.person.patience - time.time()):
                frame = await socket.recv()
        except TimeoutError:
            one.left = time.time()
            return
        _note(one, frame)


def _note(one: Visit, frame: str | bytes) -> None:
    told: dict[str, Any] = json.loads(frame)
    one.status = told.get("status", one.status)
    if one.shown is None and (shown := told.get("eta_seconds")) is not None:
        one.shown, one.shown_at = tuple(shown), time.time()


def join(one: Visit, log: Path) -> Entry:
    """A join, and the first look by the function that the page's view calls."""
    entry = joining.join(
        replace(registry.get_task("probe"), task=rest_task),
        code=uuid.uuid4(),
        owner=joining.Owner(one.visitor),
        upload=ContentFile(b"nothing", name="nothing.csv"),
        content_type="text/csv",
        options={"log": str(log), "number": one.number, "seconds": one.person.service},
    )
    joining.look(entry, conf.POLL_TTL)
    return entry
