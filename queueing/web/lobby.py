"""The Lobby: the open pages of one web process. It beats for all of them together, and has them told their numbers.

There is one Lobby for each running event loop and each Redis that has lines: where one Redis is away, the pages of its
lines are sent away, and no others. The pulse renews presence every HEARTBEAT_INTERVAL; the tick, each
second, looks whether a line moved. Every RIGHTS_INTERVAL it asks whether the visitors may still see their entries.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from itertools import batched
from weakref import WeakKeyDictionary

from django.conf import settings

from queueing import logs, serving
from queueing.conf import conf
from queueing.exceptions import TooManyPages
from queueing.line import presence
from queueing.line.clients import AsyncRedis, RedisError, async_connection, own_address
from queueing.line.servers import are_several
from queueing.models import Entry
from queueing.models.trouble import DATABASE_ERRORS
from queueing.states import Absence
from queueing.web import rights
from queueing.web.announcer import Announcer, Seat, Socket
from queueing.web.database import in_thread

logger = logging.getLogger("queueing")

BATCH = 250  # ids in one call of the beat script: about 1 ms of Redis
TICK = 1.0  # seconds
CLOSES = 5  # closes that are under way at the same time


class Lobby:
    """The open pages of this process, of the lines on one Redis, by its own address (`clients.own_address`).

    `pulse()` and `tick()` are one step each, so that tests can call them.
    """

    def __init__(self, own: str = "") -> None:
        self.client: AsyncRedis = async_connection(own)
        self._own = own
        self.announcer = Announcer(self.client)
        self.seats: dict[str, dict[str, list[Seat]]] = {}  # by queue and job id
        # By queue: the job ids that share the next beat, and that beat.
        self._arrivals: dict[str, tuple[list[str], asyncio.Task[None]]] = {}
        # Held during each beat. A close waits for it: otherwise a beat from before the goodbye could come after it, on
        # another connection, and bring a ghost into the line.
        self._beating = asyncio.Lock()
        # Thousands of pages close together when a proxy dies: all of them at the same time would take every Redis
        # connection and time out.
        self._closing = asyncio.Semaphore(CLOSES)
        self._redis_away = logs.Seldom(logger)  # of all steps
        self._has_begun = False
        self._beaten_at = time.monotonic()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Run all steps for as long as the event loop lives. An error is logged, and the next step is made."""
        self._tasks = [
            asyncio.create_task(self._forever(self.pulse, lambda: conf.HEARTBEAT_INTERVAL)),
            asyncio.create_task(self._forever(self.tick, lambda: TICK)),
            asyncio.create_task(self._forever(self.check_rights, lambda: conf.RIGHTS_INTERVAL)),
        ]

    async def stop(self) -> None:
        """End the steps, and the connections."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.client.aclose()

    async def hand_over(self) -> None:
        """Send the pages to another process. Raises RedisError.

        They stay present for PRESENCE_TTL, since the end of a socket is no absence in a process that ends.
        """
        try:
            await self.pulse()
        finally:
            await self.announcer.send_away()

    # Pages

    async def page_opened(self, socket: Socket, *, is_owner: bool) -> Seat:
        """Give a page its seat. Its owner is present from now on; staff look without being counted.

        The page is told nothing before this returns, so that its first frame can be the caller's. Raises TooManyPages
        (each page of an entry costs a read of the row at every hint) or RedisError.
        """
        seat, entry = Seat(socket, is_owner), socket.entry
        pages = self.seats.setdefault(entry.queue, {})
        if len(pages.get(seat.job_id, ())) >= conf.MAX_PAGES_PER_ENTRY:
            raise TooManyPages
        pages.setdefault(seat.job_id, []).append(seat)
        try:
            if is_owner and entry.is_live:
                await self._beat_soon(entry.queue, seat.job_id)
        except BaseException:
            self._remove(seat)  # the page will be sent away; a seat that stayed would be present for ever
            raise
        self.announcer.add(seat)
        return seat

    async def page_closed(self, seat: Seat, absence: Absence | None) -> bool:
        """Take the seat back. True if it was the last page of its owner here, so that the absence begins.

        No absence begins with None, or when the process ends.
        """
        entry = seat.socket.entry
        self.announcer.remove(seat)
        self._remove(seat)
        if absence is None or (absence == Absence.LOST and serving.is_ending()):
            return False
        if not seat.is_owner or not entry.is_live or self._has_page(entry):
            return False
        async with self._closing:
            async with self._beating:
                pass  # any beat from now on is made without this page
            if self._has_page(entry):
                return False  # back meanwhile
            await presence.close_async(self.client, entry.queue, entry.job_id, absence)
        if self._has_page(entry):
            await self._beat_soon(entry.queue, entry.job_id)  # it came meanwhile, and its beat may have been earlier
            return False
        return True

    async def page_closed_elsewhere(self, entry: Entry) -> None:
        """Another process lost its last page of this entry. If there is one here, the entry is present all the same."""
        if self._has_page(entry):
            try:
                await self._beat_soon(entry.queue, entry.job_id)
            except RedisError as error:
                logger.warning("Entry %s gets its beat by the next pulse only (%s)", entry.code, error)

    def _remove(self, seat: Seat) -> None:
        pages = self.seats[seat.socket.entry.queue]
        pages[seat.job_id].remove(seat)
        if not pages[seat.job_id]:
            del pages[seat.job_id]

    def _has_page(self, entry: Entry) -> bool:
        return bool(self._with_page(entry.queue, [entry.job_id]))

    def _with_page(self, queue: str, job_ids: Iterable[str]) -> list[str]:
        """The live entries that have a page of their owner open in this process."""
        pages, found = self.seats.get(queue, {}), []
        for job_id in job_ids:
            for seat in pages.get(job_id, ()):
                if seat.is_owner and seat.socket.entry.is_live:
                    found.append(job_id)
                    break
        return found

    # Steps

    async def pulse(self) -> None:
        """Renew the presence of all entries that have a page here, then say that this process is watching."""
        for queue, pages in list(self.seats.items()):
            await self._beat(queue, list(pages))
        await presence.keep_watch(self.client)
        if not self._has_begun:
            await presence.begin_watch(self.client)
            self._has_begun = True
        self._beaten_at = time.monotonic()

    async def tick(self) -> None:
        """Beat again after a flush; push the numbers that changed; break long silences."""
        if time.monotonic() - self._beaten_at > conf.PRESENCE_TTL:
            await self._send_away()
        if not await presence.is_watched(self.client):
            await self.pulse()
        await self.announcer.tell_numbers()
        await self.announcer.break_silence()

    async def check_rights(self) -> None:
        """Close the pages whose visitors may not see their entries any more.

        The database is asked in a thread of its own. While it is away nobody knows, and the pages stay.
        """
        seats = list(self.announcer.seats)
        pages = [(seat.socket.right, seat.socket.entry) for seat in seats]
        try:
            over = await in_thread(rights.find_over)(pages) if pages else []
        except DATABASE_ERRORS as error:
            logger.warning("Lobby: the rights of %d pages could not be asked (%s)", len(pages), error)
            return
        for index in over:
            await self.announcer.speak(seats[index], seats[index].socket.lose_right)

    async def _send_away(self) -> None:
        """Close all pages, so that they go to a process that can beat: this one could not for a whole PRESENCE_TTL."""
        logger.warning(
            "%sNo beat for %s s: closing %d pages", self._lines, conf.PRESENCE_TTL, len(self.announcer.seats)
        )
        await self.announcer.send_away()
        self._beaten_at = time.monotonic()

    @property
    def _lines(self) -> str:
        """The beginning of a sentence in the log: the lines, where others are on another Redis."""
        if not are_several():
            return ""
        lines = [queue for queue in settings.QUEUEING_TASKS if own_address(queue) == self._own]
        return f"{', '.join(lines) or 'REDIS_URL'}: "

    async def _forever(self, step: Callable[[], Awaitable[None]], interval: Callable[[], float]) -> None:
        while True:
            began = time.monotonic()
            try:
                await step()
            except RedisError as error:
                self._redis_away.warning("Lobby: %sRedis is away (%s)", self._lines, error)
            except Exception:
                logger.exception("Lobby: a step failed")
            # From beginning to beginning. A step that took longer is followed by one on what is true by then.
            await asyncio.sleep(max(0.0, began + interval() - time.monotonic()))

    # Beats

    async def _beat_soon(self, queue: str, job_id: str) -> None:
        """Returns when a beat has been made for this entry, together with all that come while another one is under way.

        After a restart thousands of pages come back together; a call for each would use up the connections.
        """
        if queue not in self._arrivals:
            self._arrivals[queue] = ([], asyncio.create_task(self._beat_arrivals(queue)))
        job_ids, beat = self._arrivals[queue]
        job_ids.append(job_id)
        await asyncio.shield(beat)  # a page that goes away must not take the beat from the others

    async def _beat_arrivals(self, queue: str) -> None:
        async with self._beating:  # while another beat is under way, more may come
            job_ids, _ = self._arrivals.pop(queue)
        await self._beat(queue, job_ids)

    async def _beat(self, queue: str, job_ids: Iterable[str]) -> None:
        async with self._beating:
            # Asked now: since the ids were collected, some pages have closed and said goodbye.
            if present := self._with_page(queue, job_ids):
                await presence.beat_async(self.client, queue, batched(present, BATCH))


# By own address.
_lobbies: "WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Lobby]]" = WeakKeyDictionary()


def get_lobby(queue: str) -> Lobby:
    """The Lobby of this line in the running event loop."""
    return start()[own_address(queue)]


def start() -> dict[str, Lobby]:
    """The Lobbies of the running event loop. All begin together: a Redis without pages has to be watched, too."""
    loop = asyncio.get_running_loop()
    lobbies = _lobbies.get(loop)
    if lobbies is None:
        lobbies = _lobbies[loop] = {
            own: Lobby(own) for own in {own_address(name) for name in settings.QUEUEING_TASKS} or {""}
        }
        for lobby in lobbies.values():
            lobby.start()
    return lobbies


async def hand_over() -> None:
    """As `Lobby.hand_over`, for all Lobbies of the running event loop. The process ends."""
    lobbies = _lobbies.get(asyncio.get_running_loop(), {})
    ends = await asyncio.gather(*(lobby.hand_over() for lobby in lobbies.values()), return_exceptions=True)
    for end in ends:
        if end is not None:
            raise end
