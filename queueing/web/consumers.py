"""The socket of an open page. While it lives, the visitor is present; its frames tell where the entry stands."""

import asyncio
import json
import logging
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from django.db import DatabaseError, InterfaceError
from django.template.loader import render_to_string

from queueing.events import group_name
from queueing.exceptions import TooManyPages
from queueing.line.clients import RedisError
from queueing.line.presence import absence_of
from queueing.models import Entry
from queueing.web import snapshot
from queueing.web.announcer import Seat
from queueing.web.lobby import get_lobby
from queueing.web.visitor import Visitor

logger = logging.getLogger("queueing")

TRY_AGAIN_LATER = 4013  # 1013 in the standard; daphne sends no code but 1000 and 3000 to 4999
# Bytes of a partial that fits into a frame: daphne's limit on messages (16,384) holds for those that it sends, too.
# The page fetches a longer one, as a poll does.
LONGEST_PARTIAL = 12_000
LOST_CONNECTION = 1006
TICK = json.dumps({"type": "tick"})


def in_thread[**P, T](function: Callable[P, T]) -> Any:
    """Run database work in a thread of its own: in the shared one, a slow query would delay every page."""
    return database_sync_to_async(function, thread_sensitive=False)


class Refuse(AsyncWebsocketConsumer):
    """Refuses a socket before it is accepted; the server answers 403."""

    async def connect(self) -> None:
        await self.close()


class EntryConsumer(AsyncWebsocketConsumer):
    """One open page of one entry. Nothing is required of the client."""

    entry: Entry
    group: str = ""
    seat: Seat | None = None
    told_status: str = ""
    warned: bool = False
    close_code: int = LOST_CONNECTION
    looking: asyncio.Lock

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # Channels ends a socket without calling `disconnect` after any error; the seat must be given up all the same.
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._give_up_seat()

    async def connect(self) -> None:
        code = self.scope["url_route"]["kwargs"]["code"]
        self.told_status = parse_qs(self.scope["query_string"].decode("latin-1")).get("have", [""])[0]
        self.looking = asyncio.Lock()
        # Join the group before reading the row, so that no change in between is missed.
        self.group = group_name(code)
        await get_channel_layer().group_add(self.group, self.channel_name)
        found = await in_thread(self._find)(code)
        if found is None:
            await self._give_up_seat()
            await self.close()  # before accept: the server answers 403, for unknown and foreign alike
            return
        self.entry, is_owner, frame = found
        await self.accept()
        try:
            # Register presence before the first frame: a page that receives a frame resets its back-off. The Lobby
            # speaks at its next tick, so the first frame is the whole state.
            self.seat = await get_lobby().page_opened(self, is_owner=is_owner)
            await self._say_state(self.entry, frame)
        except Exception as error:
            known = isinstance(error, (TooManyPages, RedisError))
            logger.warning("The page of entry %s is sent away: %s", code, error, exc_info=not known)
            await self.close(TRY_AGAIN_LATER)

    async def disconnect(self, code: int) -> None:
        self.close_code = code

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any) -> None:
        """Nothing is expected of the client. It is told so once: a flood must not make this process write as much."""
        if not self.warned:
            self.warned = True
            await self._say({"type": "error", "message": "This socket only sends."})

    # What the hints call

    async def entry_changed(self, _event: dict[str, Any]) -> None:
        """The row may have changed."""
        try:
            await self.refresh()
        except (DatabaseError, InterfaceError):
            # The socket stays: it is the visitor's presence. The row is read again at a tick or after a silence.
            logger.warning("The row of entry %s could not be read", self.entry.code, exc_info=True)
            if self.seat:
                get_lobby().announcer.tell_again(self.seat, missed=True)

    async def entry_closed(self, _event: dict[str, Any]) -> None:
        """Another page of this entry was closed."""
        await get_lobby().page_closed_elsewhere(self.entry)

    # What the Lobby and the Announcer call

    async def refresh(self) -> None:
        """Read the row again and send the whole state, with the partial when the status changed."""
        async with self.looking:  # two callers at the same time: what was read last must also be sent last
            await self._say_state(*await in_thread(self._read)())
        if self.seat:
            get_lobby().announcer.tell_again(self.seat)

    async def send_numbers(self, numbers: dict[str, Any]) -> None:
        """Send the fields of a snapshot."""
        await self._say({"type": "status", **numbers})

    async def send_tick(self) -> None:
        """Tell the page that the connection lives; it cannot see protocol pings."""
        await self.send(TICK)

    async def go_elsewhere(self) -> None:
        """Have the page connect again, to another process if there is one."""
        await self.close(TRY_AGAIN_LATER)

    # Details

    async def _say(self, frame: dict[str, Any]) -> None:
        await self.send(json.dumps(frame))

    async def _say_state(self, entry: Entry, frame: dict[str, Any]) -> None:
        self.entry = entry
        self.told_status = entry.status
        await self._say(frame)

    def _find(self, code: uuid.UUID) -> tuple[Entry, bool, dict[str, Any]] | None:
        """The entry, whether this is its owner, and its state; None when it is not this visitor's to see."""
        visitor = Visitor.of_scope(self.scope)
        entry = visitor.find(code)
        return (entry, visitor.owns(entry), self._state(entry)) if entry is not None else None

    def _read(self) -> tuple[Entry, dict[str, Any]]:
        entry = Entry.objects.without_large_columns().get(pk=self.entry.pk)
        return entry, self._state(entry)

    def _state(self, entry: Entry) -> dict[str, Any]:
        now = snapshot.read(entry)
        frame = {"type": "status", **now.as_json()}
        if entry.status != self.told_status:
            html = render_to_string("queueing/entry.html#status", snapshot.page_context(entry, now))
            if len(json.dumps(html)) <= LONGEST_PARTIAL:
                frame["html"] = html
        return frame

    async def _give_up_seat(self) -> None:
        seat, self.seat = self.seat, None
        group, self.group = self.group, ""
        if not group:
            return
        layer = get_channel_layer()
        try:
            try:
                # First of all: whatever fails from here on, this process no longer beats for the page.
                is_last = seat is not None and await get_lobby().page_closed(seat, absence_of(self.close_code))
            finally:
                await layer.group_discard(group, self.channel_name)
            if is_last:
                # Another process may still have a page of it; that one then beats again.
                await layer.group_send(group, {"type": "entry.closed"})
        except Exception:
            logger.warning("The end of a page of %s was not noted", group, exc_info=True)
