"""The page's socket. Its presence is the heartbeat; its frames tell the page where the entry stands."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from django.template.loader import render_to_string

from queueing import snapshot
from queueing.announcer import Seat
from queueing.events import group_name
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
    seat: Seat | None = None
    told_status: str = ""
    close_code: int = LOST
    looking: asyncio.Lock

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # Any error in a handler ends the socket without `disconnect`; the seat must be given up all the same.
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._give_up_seat()

    async def connect(self) -> None:
        entry, is_owner = await in_thread(self._find)()
        if entry is None:
            await self.close()  # before accept: the server answers 403, for unknown and foreign alike
            return
        self.entry, self.looking = entry, asyncio.Lock()
        self.told_status = parse_qs(self.scope["query_string"].decode("latin-1")).get("have", [""])[0]
        await self.accept()
        try:
            # The group first, then the row: a change in between is not missed. The seat last: from then on the
            # Lobby speaks to the page too, and the first frame is the whole state.
            await get_channel_layer().group_add(group_name(entry.code), self.channel_name)
            await self.refresh()
            self.seat = await get_lobby().enter(self, is_owner=is_owner)
        except Exception:
            logger.warning("The page of entry %s is sent away", entry.code, exc_info=True)
            await self.close(TRY_AGAIN_LATER)

    async def disconnect(self, code: int) -> None:
        self.close_code = code

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any) -> None:
        """The client has nothing to say; it is told so, and the socket stays."""
        await self._say({"type": "error", "message": "This socket only sends."})

    # What the Lobby and the hints call

    async def entry_changed(self, _event: dict[str, Any]) -> None:
        await self.refresh()

    async def entry_closed(self, _event: dict[str, Any]) -> None:
        await get_lobby().beat_for(self.entry)

    async def refresh(self) -> None:
        """The whole state, read anew; with the partial when the status changed."""
        async with self.looking:  # a hint and the Lobby at once: what was read last is also said last
            entry, state, html = await in_thread(self._render)()
            self.entry = entry
            self.told_status = entry.status
            await self._say({"type": "status", **state, **({"html": html} if html else {})})

    async def send_numbers(self, numbers: dict[str, Any]) -> None:
        await self._say({"type": "status", **numbers})

    async def send_tick(self) -> None:
        await self.send(TICK)

    async def go_elsewhere(self) -> None:
        await self.close(TRY_AGAIN_LATER)

    # Details

    async def _say(self, frame: dict[str, Any]) -> None:
        await self.send(json.dumps(frame))

    def _find(self) -> tuple[Entry | None, bool]:
        session, user = self.scope["session"], self.scope["user"]
        entry = find_entry(self.scope["url_route"]["kwargs"]["code"], session, user)
        return entry, entry is not None and owns(entry, session, user)

    def _render(self) -> tuple[Entry, dict[str, Any], str]:
        entry = Entry.objects.get(pk=self.entry.pk)
        now, html = snapshot.of(entry), ""
        if entry.status != self.told_status:
            html = render_to_string("queueing/entry.html#status", snapshot.page(entry, now))
        return entry, now.as_json(), html if len(json.dumps(html)) <= LONGEST_PARTIAL else ""

    async def _give_up_seat(self) -> None:
        seat, self.seat = self.seat, None
        if seat is None:
            return
        layer, group = get_channel_layer(), group_name(self.entry.code)
        try:
            try:
                # First: whatever fails from here on, this process no longer beats for the page.
                is_last = await get_lobby().leave(seat, cause_of(self.close_code))
            finally:
                await layer.group_discard(group, self.channel_name)
            if is_last:
                # Another process may still have a page of it; that one beats at once.
                await layer.group_send(group, {"type": "entry.closed"})
        except Exception:
            logger.warning("The end of a page of entry %s was not noted", self.entry.code, exc_info=True)
