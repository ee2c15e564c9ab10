"""A crowd's visit to the site: everybody joins, opens the page's socket, and waits for as long as their patience."""

import asyncio
import json
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.core.files.base import ContentFile
from django.db import connections
from websockets.asyncio.client import ClientConnection, connect

from queueing import joining, registry
from queueing.conf import conf
from queueing.joining import Owner
from queueing.models import Entry
from queueing.web.visitor import Visitor
from tests.benchmarks.erlang import Person
from tests.benchmarks.rest import rest_task

LEAVING = 4001  # what the page's goodbye says


@dataclass(slots=True)
class Visit:
    """The actions and observations of one visitor; clocks are `time.time()`."""

    number: int
    person: Person
    visitor: uuid.UUID
    cookie: str
    arrived: float = 0.0
    left: float | None = None  # None: stayed until it was their turn
    status: str = ""  # the last one shown
    # The first wait that was shown, in seconds, and when that was.
    shown: tuple[float, float] | None = None
    shown_at: float = 0.0


def visit(crowd: Sequence[Person], port: int, log: Path) -> list[Visit]:
    """Play the crowd; returns when the last one has left or has been served."""
    visits = [_new_visit(number, person) for number, person in enumerate(crowd)]
    # One thread: they join in the order in which they come.
    with ThreadPoolExecutor(1) as executor:
        asyncio.run(_visit_all(visits, port, log, executor))
        executor.submit(connections.close_all).result()
    return visits


def _new_visit(number: int, person: Person) -> Visit:
    """A browser that has been here before: it has a session."""
    session = SessionStore()
    visitor = uuid.uuid4()
    Visitor(session, AnonymousUser()).remember(Owner(visitor))
    session.save()
    return Visit(number, person, visitor, f"sessionid={session.session_key}")


async def _visit_all(visits: list[Visit], port: int, log: Path, executor: Executor) -> None:
    begin = time.time() + 0.5
    async with asyncio.TaskGroup() as group:
        for one in visits:
            group.create_task(_come_and_go(one, begin, port, log, executor))


async def _come_and_go(one: Visit, begin: float, port: int, log: Path, executor: Executor) -> None:
    await asyncio.sleep(begin + one.person.arrival - time.time())
    one.arrived = time.time()
    entry = await asyncio.get_running_loop().run_in_executor(executor, _join, one, log)
    site = f"127.0.0.1:{port}"
    page = connect(
        f"ws://{site}/ws/entry/{entry.code}/",
        origin=f"http://{site}",  # type: ignore[arg-type]  # a NewType of str
        additional_headers={"Cookie": one.cookie},
        proxy=None,
    )
    async with page as socket:
        await _wait(one, socket)
        while one.status in {"waiting", "running"} and one.left is None:
            _note(one, await socket.recv())
        if one.left is not None:
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


def _join(one: Visit, log: Path) -> Entry:
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
