"""The reception of a web process: the sockets that come at the same time are looked up together.

After a restart thousands of pages come back at once. A thread, a query for the session, one for the entry and a round
trip to Redis for each of them would take most of the time until the last one is back. So one thread reads sessions,
entries and places of all that came while the batch before was read. A page that comes alone is a batch of one.
"""

import asyncio
import copy
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from django.conf import settings
from django.template.loader import render_to_string

from queueing.line.places import Standing
from queueing.models import Entry
from queueing.registry import all_tasks
from queueing.web import snapshot
from queueing.web.database import in_thread
from queueing.web.rights import Right
from queueing.web.sessions import SessionStore, read_sessions
from queueing.web.snapshot import Snapshot
from queueing.web.visitor import Visitor

BATCH = 100  # sockets
# Bytes of a partial that fits into a frame: daphne's limit on messages (16,384) also holds for messages that it sends.
# The page fetches a longer partial, as a poll does.
LONGEST_PARTIAL = 12_000


class Arrival(NamedTuple):
    """A socket that asks for an entry."""

    scope: Any
    code: uuid.UUID
    told_status: str  # that its page shows already


class Admitted(NamedTuple):
    """A visitor, and the entry that this visitor may see."""

    visitor: Visitor
    entry: Entry


class Found(NamedTuple):
    """The entry of a socket that this visitor may see."""

    entry: Entry
    is_owner: bool
    right: Right
    frame: dict[str, Any]  # the first frame: the whole state


class Reception:
    """The sockets of one event loop that wait for their entries."""

    def __init__(self) -> None:
        self._arrivals: list[tuple[Arrival, asyncio.Future[Found | None]]] = []
        self._reading: asyncio.Task[None] | None = None

    async def find(self, arrival: Arrival) -> Found | None:
        """The entry; None if this visitor may not see it. Raises what the reading of it raised: DATABASE_ERRORS."""
        future = asyncio.get_running_loop().create_future()
        self._arrivals.append((arrival, future))
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        found: Found | None = await future
        return found

    async def _read(self) -> None:
        try:
            while self._arrivals:
                batch, self._arrivals = self._arrivals[:BATCH], self._arrivals[BATCH:]
                answers = await self._answers([arrival for arrival, _ in batch])
                for (_, future), answer in zip(batch, answers, strict=True):
                    if future.done():  # its page has gone meanwhile
                        continue
                    if isinstance(answer, Exception):
                        future.set_exception(answer)
                    else:
                        future.set_result(answer)
        finally:
            self._reading = None

    async def _answers(self, arrivals: list[Arrival]) -> "Sequence[Found | Exception | None]":
        try:
            found: Sequence[Found | Exception | None] = await in_thread(find_all)(arrivals)
        except Exception as error:  # noqa: BLE001  # each of the sockets raises it
            return [error] * len(arrivals)
        return found


def find_all(arrivals: Sequence[Arrival]) -> "list[Found | Exception | None]":
    """The answers to these sockets, in their order: the entry, None, or the error of this one alone.

    Raises DATABASE_ERRORS.
    """
    sessions = read_sessions(_session_key(arrival) for arrival in arrivals)
    codes = {arrival.code for arrival in arrivals}
    rows = Entry.objects.without_large_columns().filter(code__in=codes, queue__in=all_tasks())
    entries = {entry.code: entry for entry in rows}
    admitted = [_admitted(one, sessions[_session_key(one)], copy.copy(entries.get(one.code))) for one in arrivals]
    standings = snapshot.standings_of([one.entry for one in admitted if isinstance(one, Admitted)])
    return [
        _found(arrival, *one, standings) if isinstance(one, Admitted) else one
        for arrival, one in zip(arrivals, admitted, strict=True)
    ]


def _admitted(arrival: Arrival, session: SessionStore, entry: Entry | None) -> Admitted | Exception | None:
    try:
        visitor = Visitor.of_scope(arrival.scope, session)
        entry = visitor.admitted(entry)
        return None if entry is None else Admitted(visitor, entry)
    except Exception as error:  # noqa: BLE001  # it must not send the others away
        return error


def _found(arrival: Arrival, visitor: Visitor, entry: Entry, standings: Mapping[str, Standing]) -> Found | Exception:
    try:
        now = snapshot.of(entry, standings)
        is_owner = visitor.owns(entry)
        if is_owner and entry.is_live and entry.seen_at is None:
            entry.see()  # the beat follows with the seat
        frame = frame_of(entry, now, visitor, is_owner=is_owner, told_status=arrival.told_status)
        return Found(entry, is_owner, Right.of(visitor, entry), frame)
    except Exception as error:  # noqa: BLE001  # it must not send the others away
        return error


def frame_of(entry: Entry, now: Snapshot, visitor: Visitor, *, is_owner: bool, told_status: str) -> dict[str, Any]:
    """The whole state as a frame, with the partial of the page if that shows another status."""
    refusal = "" if entry.is_live else visitor.refusal(entry)
    now = snapshot.without_again(now, refusal)
    frame = {"type": "status", **now.as_json()}
    if entry.status != told_status:
        may_open = is_owner or visitor.may_open(entry)
        context = snapshot.page_context(entry, now, is_owner=is_owner, may_open=may_open, may_join=not refusal)
        html = render_to_string("queueing/entry.html#status", context)
        if len(json.dumps(html)) <= LONGEST_PARTIAL:
            frame["html"] = html
    return frame


def _session_key(arrival: Arrival) -> str | None:
    key: str | None = arrival.scope["cookies"].get(settings.SESSION_COOKIE_NAME)
    return key


_receptions: "WeakKeyDictionary[asyncio.AbstractEventLoop, Reception]" = WeakKeyDictionary()


def get_reception() -> Reception:
    """The reception of the running event loop."""
    return _receptions.setdefault(asyncio.get_running_loop(), Reception())
