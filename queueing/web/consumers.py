"""The socket of an open page. While the socket lives, the visitor is present; its frames tell the entry's state.

A socket ends with its entry: behind the frame of the end comes a close with 1000.
"""

import asyncio
import json
import logging
import time
import uuid
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer

from queueing.events import RIGHTS_GROUP, group_name
from queueing.exceptions import TooManyPages
from queueing.line.clients import RedisError
from queueing.line.presence import absence_of
from queueing.models import Entry
from queueing.models.trouble import DATABASE_ERRORS
from queueing.web import rights, snapshot
from queueing.web.announcer import Seat
from queueing.web.database import in_thread
from queueing.web.frames import WRITER, made_once
from queueing.web.lobby import get_lobby
from queueing.web.reception import Arrival, Found, frame_of, get_reception
from queueing.web.rights import Right
from queueing.web.visitor import Visitor

logger = logging.getLogger("queueing")

# Close codes; daphne sends no code but 1000 and 3000 to 4999.
OVER = 1000  # the entry has ended: there is nothing more to hear
RIGHT_IS_OVER = 4003  # this visitor may not see the entry any more
TOO_MANY_FRAMES = 4008  # 1008 in the standard
TRY_AGAIN_LATER = 4013  # 1013 in the standard
# Frames that a client may send in a PERIOD of seconds. Nothing is required of it, so more are a flood.
FRAMES, PERIOD = 30, 10.0
SERVER_ENDS = 1012  # uvicorn's, to its application too: the process ends, and the page goes to another one
LOST_CONNECTION = 1006
TICK = json.dumps({"type": "tick"})
TICK_FRAME = made_once(TICK)


class Refuse(AsyncWebsocketConsumer):
    """Refuses a socket before it is accepted; the server answers 403."""

    async def connect(self) -> None:
        await self.close()


class EntryConsumer(AsyncWebsocketConsumer):
    """One open page of one entry. Nothing is required of the client."""

    entry: Entry
    right: Right
    is_owner: bool = False
    group: str = ""
    seat: Seat | None = None
    told_status: str = ""
    frames: int = 0  # that the client has sent in this PERIOD
    period_ends: float = 0.0
    warned: bool = False
    is_accepted: bool = False
    is_closing: bool = False  # closed by this side
    close_code: int = LOST_CONNECTION
    looking: asyncio.Lock

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # Give up the seat here: after an error, Channels ends a socket without calling `disconnect`.
        try:
            await super().__call__(scope, receive, send)
        except Exception as error:
            if self.is_accepted:
                raise
            # Channels asks Redis for a channel before `connect`. Without an accept the browser would get a 500.
            code, known = scope["url_route"]["kwargs"]["code"], isinstance(error, RedisError)
            logger.warning("The page of entry %s is sent away: %s", code, error, exc_info=not known)
            with suppress(OSError):  # the page has given up
                await send({"type": "websocket.accept"})
                await send({"type": "websocket.close", "code": TRY_AGAIN_LATER})
        finally:
            await self._give_up_seat()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Call the handler, without a look at the connections of the database: whatever uses one here looks itself."""
        await getattr(self, get_handler_name(message))(message)

    async def accept(self, *arguments: Any, **options: Any) -> None:
        """Raises StopConsumer for a page that has given up: with a seat it would be present for a moment, then held."""
        self.is_accepted = True
        try:
            await super().accept(*arguments, **options)
        except OSError as error:
            raise StopConsumer from error

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
        self.entry, self.right, self.is_owner = found.entry, found.right, found.is_owner
        await self.accept()
        try:
            await self._hear_of_rights()
            await self._take_seat(found)
            await self._say_state(found.entry, found.frame)
        except Exception as error:
            known = isinstance(error, (TooManyPages, RedisError))
            logger.warning("The page of entry %s is sent away: %s", code, error, exc_info=not known)
            await self._end(TRY_AGAIN_LATER)

    async def _find_or_close(self, code: uuid.UUID) -> Found | None:
        """The entry, or None for one that this visitor may not see, and while the database is away."""
        try:
            found = await get_reception().find(Arrival(self.scope, code, self.told_status))
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

    async def _hear_of_rights(self) -> None:
        """Hear of the rights of users. A hint may have come since the row was read, so the right is asked again.

        Only users: the first and the last page of this group in a process cost Redis a subscription each.
        """
        if self.right.user_id is not None:
            await get_channel_layer().group_add(RIGHTS_GROUP, self.channel_name)
            if await in_thread(rights.is_over)(self.right, self.entry):
                await self.lose_right()

    async def _take_seat(self, found: Found) -> None:
        """Register presence before the first frame: a page that receives a frame resets its back-off.

        The Lobby speaks at its next tick, so the first frame is the whole state. An entry that is over needs no seat.
        """
        if found.entry.is_live and not self.is_closing:
            self.seat = await get_lobby(found.entry.queue).page_opened(self, is_owner=found.is_owner)

    async def disconnect(self, code: int) -> None:
        self.close_code = code

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any) -> None:
        """Answer only the first message with an error: a flood must not make this process write as much."""
        if (now := time.monotonic()) >= self.period_ends:
            self.frames, self.period_ends = 0, now + PERIOD
        self.frames += 1
        if self.frames > FRAMES:
            await self._end(TOO_MANY_FRAMES)
        elif not self.warned:
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
                get_lobby(self.entry.queue).announcer.tell_again(self.seat, missed=True)

    async def entry_closed(self, _event: dict[str, Any]) -> None:
        """Another page of this entry was closed: beat again if its owner has a page here."""
        await get_lobby(self.entry.queue).page_closed_elsewhere(self.entry)

    async def rights_changed(self, event: dict[str, Any]) -> None:
        """The rights of a user, or of all, may have changed. If the database is away, the Lobby asks again."""
        if event["user"] not in (None, self.right.user_id):
            return
        try:
            if await in_thread(rights.is_over)(self.right, self.entry):
                await self.lose_right()
        except DATABASE_ERRORS:
            logger.warning("The right to see entry %s could not be asked", self.entry.code, exc_info=True)

    # Methods that the Lobby and the Announcer call

    async def refresh(self) -> None:
        """Read the row again and send the whole state, with the partial when the status changed."""
        async with self.looking:  # two callers may overlap: the state that was read last must be sent last
            found = await in_thread(self._read)()
            await (self._say_state(*found) if found else self.lose_right())
        if self.seat:
            get_lobby(self.entry.queue).announcer.tell_again(self.seat)

    async def send_numbers(self, numbers: dict[str, Any]) -> None:
        """Send the fields of a snapshot."""
        await self._say({"type": "status", **numbers})

    async def send_tick(self) -> None:
        """Tell the page that the connection lives: a page cannot see protocol pings."""
        if write := self.scope.get("extensions", {}).get(WRITER):
            write(TICK_FRAME)
        else:
            await self.send(TICK)

    async def go_elsewhere(self) -> None:
        """Have the page connect again, to another process if there is one."""
        await self._end(TRY_AGAIN_LATER)

    async def lose_right(self) -> None:
        """The visitor may not see the entry any more: the page asks by a poll what has happened."""
        logger.info("A page of entry %s is closed: its right is over", self.entry.code)
        await self._end(RIGHT_IS_OVER)

    # Details

    async def _say(self, frame: dict[str, Any]) -> None:
        await self.send(json.dumps(frame))

    async def _end(self, code: int) -> None:
        """Close the socket, once. The server drops a client that does not answer the close."""
        if not self.is_closing:
            self.is_closing = True
            await self.close(code)

    async def _say_state(self, entry: Entry, frame: dict[str, Any]) -> None:
        """Send the whole state. An end counts as seen behind its frame: a page that is sent away is told nothing."""
        if self.is_closing:
            return
        self.entry = entry
        self.told_status = entry.status
        await self._say(frame)
        if not entry.is_live:
            await in_thread(self._see_end)()
            await self._end(OVER)

    def _see_end(self) -> None:
        Visitor.of_scope(self.scope).see_end(self.entry)

    def _read(self) -> tuple[Entry, dict[str, Any]] | None:
        """The row and its state; None if the row is gone, or the right to see it."""
        entry = Entry.objects.without_large_columns().filter(pk=self.entry.pk).first()
        if entry is None or rights.is_over(self.right, entry):
            return None
        visitor, now = Visitor.of_scope(self.scope), snapshot.read(entry)
        return entry, frame_of(entry, now, visitor, is_owner=self.is_owner, told_status=self.told_status)

    async def _leave_lobby(self, seat: Seat) -> bool:
        """True if an absence begins. The end of the server is none: soon the page is at another one."""
        absence = None if self.close_code == SERVER_ENDS else absence_of(self.close_code)
        return await get_lobby(seat.socket.entry.queue).page_closed(seat, absence)

    async def _give_up_seat(self) -> None:
        seat, self.seat = self.seat, None
        group, self.group = self.group, ""
        if not group:
            return
        layer = get_channel_layer()
        try:
            try:
                # First, so that this process no longer beats for the page, even if a later step fails.
                is_last = seat is not None and await self._leave_lobby(seat)
            finally:
                await layer.group_discard(group, self.channel_name)
                if hasattr(self, "right") and self.right.user_id is not None:
                    await layer.group_discard(RIGHTS_GROUP, self.channel_name)
            if is_last:
                # Another process may still have a page of this entry; it then beats again.
                await layer.group_send(group, {"type": "entry.closed"})
        except Exception:
            logger.warning("The end of a page of %s was not noted", group, exc_info=True)
