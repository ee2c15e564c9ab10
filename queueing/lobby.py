"""The Lobby: the open pages of one web process. It beats for all of them at once, and has them told their numbers.

One Lobby a running event loop, made at the first ASGI call of any kind (daphne has no lifespan). The pulse renews
presence every HEARTBEAT_INTERVAL; the tick, each second, looks whether a line moved.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from weakref import WeakKeyDictionary

import redis
import redis.asyncio

from queueing import keys
from queueing.announcer import Announcer, Seat, Socket
from queueing.conf import conf
from queueing.exceptions import TooManyPages
from queueing.keys import milliseconds
from queueing.models import Entry
from queueing.presence import Cause, beat_arguments, close_arguments

logger = logging.getLogger("queueing")

CHUNK = 250  # ids in one call of the beat script: about 1 ms of Redis
TICK = 1.0  # seconds


class Lobby:
    """The open pages of this process. `pulse()` and `tick()` are one step each, and can be called by tests."""

    def __init__(self) -> None:
        self.client: redis.asyncio.Redis = keys.async_connection()
        self.announcer = Announcer(self.client)
        self.seats: dict[str, dict[str, list[Seat]]] = {}  # by queue and job id
        self._arrivals: dict[str, tuple[list[str], asyncio.Task[None]]] = {}  # by queue: who shares the next beat
        # One call of the beat script at a time. Who leaves waits for it, so that none from before the goodbye can come
        # after it, on another connection, and bring a ghost into the line.
        self._door = asyncio.Lock()
        # When a proxy dies, thousands leave at once: all of the connections, and those who wait for one give up.
        self._exit = asyncio.Semaphore(5)
        self._beaten_at = time.monotonic()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Run pulse and tick for as long as the event loop lives; an error is logged and the next step is made."""
        self._tasks = [
            asyncio.create_task(self._forever(self.pulse, lambda: conf.HEARTBEAT_INTERVAL)),
            asyncio.create_task(self._forever(self.tick, lambda: TICK)),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.client.aclose()

    # Pages

    async def enter(self, socket: Socket, *, is_owner: bool) -> Seat:
        """A page was opened. Its owner is present from now on; staff look without being counted.

        It is told nothing before this returns, so that the first frame can be the caller's. Raises TooManyPages: a hint
        is a look at the row for each of them.
        """
        seat, entry = Seat(socket, is_owner), socket.entry
        pages = self.seats.setdefault(entry.queue, {})
        if len(pages.get(seat.job_id, ())) >= conf.MAX_PAGES_PER_ENTRY:
            raise TooManyPages
        pages.setdefault(seat.job_id, []).append(seat)
        try:
            if is_owner and entry.is_live:
                await self._arrive(entry.queue, seat.job_id)
        except BaseException:
            self._remove(seat)  # this page will be sent away; a seat that stayed would be present for ever
            raise
        self.announcer.add(seat)
        return seat

    async def leave(self, seat: Seat, cause: Cause) -> bool:
        """A page was closed. True when it was the last one of its owner here, and the absence begins."""
        entry = seat.socket.entry
        self.announcer.remove(seat)
        self._remove(seat)
        if not seat.is_owner or not entry.is_live or self._beaten_for(entry.queue, [entry.job_id]):
            return False
        async with self._exit:
            async with self._door:
                pass  # any beat from now on is made without this page
            if self._beaten_for(entry.queue, [entry.job_id]):
                return False  # back meanwhile
            await keys.async_script(self.client, "close")(
                keys=keys.as_list(keys.line_keys(entry.queue)), args=close_arguments(entry.job_id, cause)
            )
        if self._beaten_for(entry.queue, [entry.job_id]):
            await self._arrive(entry.queue, entry.job_id)  # it came meanwhile, and its first beat may have been earlier
            return False
        return True

    def _remove(self, seat: Seat) -> None:
        pages = self.seats[seat.socket.entry.queue]
        pages[seat.job_id].remove(seat)
        if not pages[seat.job_id]:
            del pages[seat.job_id]

    def _beaten_for(self, queue: str, job_ids: Iterable[str]) -> list[str]:
        """Those of them that a page of their owner shows alive here."""
        pages, found = self.seats.get(queue, {}), []
        for job_id in job_ids:
            for seat in pages.get(job_id, ()):
                if seat.is_owner and seat.socket.entry.is_live:
                    found.append(job_id)
                    break
        return found

    async def beat_for(self, entry: Entry) -> None:
        """Another process lost its last page of this entry; if there is one here, it is present all the same."""
        if self._beaten_for(entry.queue, [entry.job_id]):
            try:
                await self._arrive(entry.queue, entry.job_id)
            except redis.RedisError as error:
                logger.warning("Entry %s is beaten for by the next pulse only (%s)", entry.code, error)

    # Steps

    async def pulse(self) -> None:
        """Renew the presence of all local entries, then say that this process is watching."""
        for queue, pages in list(self.seats.items()):
            await self._beat(queue, list(pages))
        await self._keep_watch()
        self._beaten_at = time.monotonic()

    async def tick(self) -> None:
        """Beat at once after a flush; push the numbers that changed; break long silences."""
        if time.monotonic() - self._beaten_at > conf.PRESENCE_TTL:
            await self._send_away()
        if not await self.client.exists(keys.WATCH):
            await self.pulse()
        await self.announcer.tell_numbers()
        await self.announcer.break_silence()

    async def _send_away(self) -> None:
        """This process could not beat for a whole PRESENCE_TTL: its pages are better off with another one."""
        logger.warning("No beat for %s s: closing %d pages", conf.PRESENCE_TTL, len(self.announcer.seats))
        await self.announcer.send_away()
        self._beaten_at = time.monotonic()

    # Details

    async def _arrive(self, queue: str, job_id: str) -> None:
        """A beat at once, shared with all who come while another one is under way.

        After a restart thousands come back at once, and a call for each would use up the connections.
        """
        if queue not in self._arrivals:
            self._arrivals[queue] = ([], asyncio.create_task(self._beat_arrivals(queue)))
        job_ids, beat = self._arrivals[queue]
        job_ids.append(job_id)
        await asyncio.shield(beat)  # who goes away must not take it from the others

    async def _beat_arrivals(self, queue: str) -> None:
        async with self._door:  # while others beat, more may come
            job_ids, _ = self._arrivals.pop(queue)
        await self._beat(queue, job_ids)

    async def _beat(self, queue: str, job_ids: list[str]) -> None:
        for start in range(0, len(job_ids), CHUNK):
            async with self._door:
                # Looked at now: since the list was made, some have left and said goodbye.
                present = self._beaten_for(queue, job_ids[start : start + CHUNK])
                if present:
                    await keys.async_script(self.client, "beat")(
                        keys=keys.as_list(keys.line_keys(queue)), args=beat_arguments(present, conf.PRESENCE_TTL)
                    )

    async def _keep_watch(self) -> None:
        """ "Since" stays as it is while web processes keep beating, and begins anew after a gap or a flush."""
        life = milliseconds(3 * conf.HEARTBEAT_INTERVAL)
        if not await self.client.pexpire(keys.WATCH, life):
            seconds, micros = await self.client.time()
            await self.client.set(keys.WATCH, seconds * 1000 + micros // 1000, px=life, nx=True)

    async def _forever(self, step: Callable[[], Awaitable[None]], interval: Callable[[], float]) -> None:
        while True:
            began = time.monotonic()
            try:
                await step()
            except redis.RedisError as error:
                logger.warning("Lobby: Redis is away (%s)", error)
            except Exception:
                logger.exception("Lobby: a step failed")
            # From beginning to beginning; a step that took longer is followed by one on what is true by then.
            await asyncio.sleep(max(0.0, began + interval() - time.monotonic()))


_lobbies: "WeakKeyDictionary[asyncio.AbstractEventLoop, Lobby]" = WeakKeyDictionary()


def get_lobby() -> Lobby:
    """The Lobby of the running event loop."""
    loop = asyncio.get_running_loop()
    lobby = _lobbies.get(loop)
    if lobby is None:
        lobby = _lobbies[loop] = Lobby()
        lobby.start()
    return lobby
