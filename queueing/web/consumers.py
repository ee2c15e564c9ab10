"""The socket of an open page. While the socket lives, the visitor is present; its frames tell the entry's state."""

import asyncio
import json
import logging
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from django.conf import settings
from django.template.loader import render_to_string

from queueing.events import group_name
from queueing.exceptions import TooManyPages
from queueing.line.allowance import allow_waiting
from queueing.line.clients import RedisError
from queueing.line.presence import absence_of
from queueing.models import Entry
from queueing.models.trouble import DATABASE_ERRORS
from queueing.web import snapshot
from queueing.web.announcer import Seat
from queueing.web.lobby import get_lobby
from queueing.web.visitor import Visitor

logger = logging.getLogger("queueing")

TRY_AGAIN_LATER = 4013  # 1013 in the standard; daphne sends no code but 1000 and 3000 to 4999
# Bytes of a partial that fits into a frame: daphne's limit on messages (16,384) also holds for messages that it sends.
# The page fetches a longer partial, as a poll does.
LONGEST_PARTIAL = 12_000
LOST_CONNECTION = 1006
TICK_FRAME = json.dumps({"type": "tick"})


def in_thread[**P, T](function: Callable[P, T]) -> Any:
    """Run a read of row and place in a thread of its own: in the shared one, a slow query would delay every page.

    There are few of these threads. As a request does, each read waits for Redis for REDIS_ALLOWANCE at most.
    """

    def limited(*args: P.args, **kwargs: P.kwargs) -> T:
        with allow_waiting(settings.REDIS_ALLOWANCE):
            return function(*args, **kwargs)

    return database_sync_to_async(limited, thread_sensitive=False)


class Refuse(AsyncWebsocketConsumer):
    """Refuses a socket before it is accepted; the server answers 403."""

    async def connect(self) -> None:
        await self.close()


class Found(NamedTuple):
    """The entry of a socket that this visitor may see."""

    entry: Entry
    is_owner: bool
    frame: dict[str, Any]  # the first frame: the whole state


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
        # Give up the seat here: after an error, Channels ends a socket without calling `disconnect`.
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
        found = await self._find_or_close(code)
        if found is None:
            return
        self.entry = found.entry
        await self.accept()
        try:
            # Register presence before the first frame: a page that receives a frame resets its back-off. The Lobby
            # speaks at its next tick, so the first frame is the whole state.
            self.seat = await get_lobby().page_opened(self, is_owner=found.is_owner)
            await self._say_state(found.entry, found.frame)
        except Exception as error:
            known = isinstance(error, (TooManyPages, RedisError))
            logger.warning("The page of entry %s is sent away: %s", code, error, exc_info=not known)
            await self.close(TRY_AGAIN_LATER)

    async def _find_or_close(self, code: uuid.UUID) -> Found | None:
        """The entry, or None for one that this visitor may not see, and while the database is away."""
        try:
            found: Found | None = await in_thread(self._find)(code)
        except DATABASE_ERRORS as error:
            logger.warning("The page of entry %s is sent away: %s", code, error)
            await self._give_up_seat()
            await self.accept()  # without it the browser would get a 500
            await self.close(TRY_AGAIN_LATER)
            return None
        if found is None:
            await self._give_up_seat()
            await self.close()  # before accept: the server answers 403, for unknown and foreign alike
        return found

    async def disconnect(self, code: int) -> None:
        self.close_code = code

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any) -> None:
        """Answer only the first message with an error: a flood must not make this process write as much."""
        if not self.warned:
            self.warned = True
            await self._say({"type": "error", "message": "This socket only sends."})

    # Handlers of hints

    async def entry_changed(self, _event: dict[str, Any]) -> None:
        """The row may have changed: read it again."""
        try:
            await self.refresh()
        except DATABASE_ERRORS:
            # Keep the socket, because it is the visitor's presence. A tick or a silence reads the row again.
            logger.warning("The row of entry %s could not be read", self.entry.code, exc_info=True)
            if self.seat:
                get_lobby().announcer.tell_again(self.seat, missed=True)

    async def entry_closed(self, _event: dict[str, Any]) -> None:
        """Another page of this entry was closed: beat again if its owner has a page here."""
        await get_lobby().page_closed_elsewhere(self.entry)

    # Methods that the Lobby and the Announcer call

    async def refresh(self) -> None:
        """Read the row again and send the whole state, with the partial when the status changed."""
        async with self.looking:  # two callers may overlap: the state that was read last must be sent last
            await self._say_state(*await in_thread(self._read)())
        if self.seat:
            get_lobby().announcer.tell_again(self.seat)

    async def send_numbers(self, numbers: dict[str, Any]) -> None:
        """Send the fields of a snapshot."""
        await self._say({"type": "status", **numbers})

    async def send_tick(self) -> None:
        """Tell the page that the connection lives: a page cannot see protocol pings."""
        await self.send(TICK_FRAME)

    async def go_elsewhere(self) -> None:
        """Have the page connect again, to another process if there is one."""
        await self.close(TRY_AGAIN_LATER)

    # Details

    async def _say(self, frame: dict[str, Any]) -> None:
        await self.send(json.dumps(frame))

    async def _say_state(self, entry: Entry, frame: dict[str, Any]) -> None:
        """Send the whole state. An end counts as seen behind its frame: a page that is sent away is told nothing."""
        self.entry = entry
        self.told_status = entry.status
        await self._say(frame)
        if not entry.is_live:
            await in_thread(Visitor.of_scope(self.scope).see_end)(entry)

    def _find(self, code: uuid.UUID) -> Found | None:
        """The entry with its state; None if this visitor may not see it."""
        visitor = Visitor.of_scope(self.scope)
        entry = visitor.find(code)
        if entry is None:
            return None
        is_owner = visitor.owns(entry)
        if is_owner and entry.is_live and entry.seen_at is None:
            entry.see()  # the beat follows with the seat
        return Found(entry, is_owner, self._state(entry))

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
                # First, so that this process no longer beats for the page, even if a later step fails.
                is_last = seat is not None and await get_lobby().page_closed(seat, absence_of(self.close_code))
            finally:
                await layer.group_discard(group, self.channel_name)
            if is_last:
                # Another process may still have a page of this entry; it then beats again.
                await layer.group_send(group, {"type": "entry.closed"})
        except Exception:
            logger.warning("The end of a page of %s was not noted", group, exc_info=True)
