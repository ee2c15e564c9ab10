"""The page's socket. Its presence is the heartbeat; its frames tell the page where the entry stands."""

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

from queueing import snapshot
from queueing.announcer import Seat
from queueing.events import group_name
from queueing.exceptions import TooManyPages
from queueing.keys import RedisError
from queueing.lobby import get_lobby
from queueing.models import Entry
from queueing.ownership import find_entry, owns
from queueing.presence import cause_of

logger = logging.getLogger("queueing")

TRY_AGAIN_LATER = 4013  # 1013 in the standard; daphne sends no code but 1000 and 3000 to 4999
# Bytes of the partial that go along in a frame: the server's limit on messages (16,384) holds for its own too.
# The page fetches a longer one, as a poll does.
LONGEST_PARTIAL = 12_000
LOST = 1006
TICK = json.dumps({"type": "tick"})


def in_thread[**P, T](function: Callable[P, T]) -> Any:
    """Database work on a thread of its own: on the shared one, one slow query delays every page of the process."""
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
    close_code: int = LOST
    looking: asyncio.Lock

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # Any error in a handler ends the socket without `disconnect`; the seat must be given up all the same.
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._give_up_seat()

    async def connect(self) -> None:
        code = self.scope["url_route"]["kwargs"]["code"]
        self.told_status = parse_qs(self.scope["query_string"].decode("latin-1")).get("have", [""])[0]
        self.looking = asyncio.Lock()
        # The group first, then the row: a change in between is not missed.
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
            # Present first: a page that got a frame takes all for well, and does not wait before it comes again. The
            # Lobby speaks at its next tick, so that the first frame is the whole state.
            self.seat = await get_lobby().enter(self, is_owner=is_owner)
            await self._say_state(self.entry, frame)
        except Exception as error:
            known = isinstance(error, (TooManyPages, RedisError))
            logger.warning("The page of entry %s is sent away: %s", code, error, exc_info=not known)
            await self.close(TRY_AGAIN_LATER)

    async def disconnect(self, code: int) -> None:
        self.close_code = code

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any) -> None:
        """The client has nothing to say. It is told so once: who floods us must not have us write as much."""
        if not self.warned:
            self.warned = True
            await self._say({"type": "error", "message": "This socket only sends."})

    # What the Lobby and the hints call

    async def entry_changed(self, _event: dict[str, Any]) -> None:
        try:
            await self.refresh()
        except (DatabaseError, InterfaceError):
            # Not worth the socket, which is the visitor's presence. Who runs is looked at again after a silence.
            logger.warning("The row of entry %s could not be read", self.entry.code, exc_info=True)
            if self.seat:
                get_lobby().announcer.tell_again(self.seat, missed=True)

    async def entry_closed(self, _event: dict[str, Any]) -> None:
        await get_lobby().beat_for(self.entry)

    async def refresh(self) -> None:
        """The whole state, read anew; with the partial when the status changed."""
        async with self.looking:  # a hint and the Lobby at once: what was read last is also said last
            await self._say_state(*await in_thread(self._read)())
        if self.seat:
            get_lobby().announcer.tell_again(self.seat)

    async def send_numbers(self, numbers: dict[str, Any]) -> None:
        await self._say({"type": "status", **numbers})

    async def send_tick(self) -> None:
        await self.send(TICK)

    async def go_elsewhere(self) -> None:
        await self.close(TRY_AGAIN_LATER)

    # Details

    async def _say(self, frame: dict[str, Any]) -> None:
        await self.send(json.dumps(frame))

    async def _say_state(self, entry: Entry, frame: dict[str, Any]) -> None:
        self.entry = entry
        self.told_status = entry.status
        await self._say(frame)

    def _find(self, code: uuid.UUID) -> tuple[Entry, bool, dict[str, Any]] | None:
        """The entry, whether this is its owner, and its state; None when it is not theirs to see."""
        session, user = self.scope["session"], self.scope["user"]
        entry = find_entry(code, session, user)
        return (entry, owns(entry, session, user), self._state(entry)) if entry is not None else None

    def _read(self) -> tuple[Entry, dict[str, Any]]:
        entry = Entry.objects.light().get(pk=self.entry.pk)
        return entry, self._state(entry)

    def _state(self, entry: Entry) -> dict[str, Any]:
        now = snapshot.of(entry)
        frame = {"type": "status", **now.as_json()}
        if entry.status != self.told_status:
            html = render_to_string("queueing/entry.html#status", snapshot.page(entry, now))
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
                # First: whatever fails from here on, this process no longer beats for the page.
                is_last = seat is not None and await get_lobby().leave(seat, cause_of(self.close_code))
            finally:
                await layer.group_discard(group, self.channel_name)
            if is_last:
                # Another process may still have a page of it; that one beats at once.
                await layer.group_send(group, {"type": "entry.closed"})
        except Exception:
            logger.warning("The end of a page of %s was not noted", group, exc_info=True)
