"""The Announcer tells the open pages of one web process their numbers, and breaks long silences.

A page gets a frame when its numbers have changed, with the newest numbers: no frames are queued. Every frame goes
through `speak`, so a page that cannot be reached does not delay the other pages.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from queueing.facts import Facts, parse_facts
from queueing.line import positions
from queueing.line.clients import AsyncRedis
from queueing.line.places import Place
from queueing.line.positions import News
from queueing.line.scripts import Ranked
from queueing.models import Entry
from queueing.states import Status
from queueing.web import snapshot
from queueing.web.rights import Right

logger = logging.getLogger("queueing")

# Seconds without a frame after which a page is sent a tick, since it cannot see protocol pings. Less than daphne's
# interval of pings, so that a ping travels with the tick.
SILENCE = 9.0
BREATH = 100  # frames after which the event loop may do other work: write frames, answer pings, accept sockets
LOOKS = 100  # rows read together for pages that lost their place: a line that is emptied must not delay the other pages


class Socket(Protocol):
    """The methods of a consumer that the Lobby and the Announcer call."""

    entry: Entry
    right: Right

    async def send_numbers(self, numbers: dict[str, Any]) -> None: ...
    async def send_tick(self) -> None: ...
    async def refresh(self) -> None: ...
    async def go_elsewhere(self) -> None: ...
    async def lose_right(self) -> None: ...


@dataclass(slots=True, eq=False)
class Seat:
    """An open page: its socket, the numbers that it was last sent, and the time of its last frame."""

    socket: Socket
    is_owner: bool
    spoken_at: float = field(default_factory=time.monotonic)
    job_id: str = field(init=False)
    # The numbers as three fields, not one object: thousands of new objects each second would soon bring on a full
    # garbage collection, and with 5,000 pages that stops everything for most of a second.
    ahead: int = -1
    held_ahead: int = -1
    facts: Facts | None = None
    missed: bool = False  # a hint came, and the row of this page's entry could not be read

    def __post_init__(self) -> None:
        self.job_id = self.socket.entry.job_id

    @property
    def waits(self) -> bool:
        return self.socket.entry.status == Status.WAITING

    def update_numbers(self, place: Place | None, facts: Facts) -> bool:
        """True if these numbers differ from what the page was last sent; remembers them."""
        ahead, held_ahead = place or (-1, -1)
        if self.ahead == ahead and self.held_ahead == held_ahead and self.facts == facts:
            return False
        self.ahead, self.held_ahead, self.facts = ahead, held_ahead, facts
        return True


class Announcer:
    """Speaks to the open pages. Unless a line moved, its steps look only at the seats that wait for a word."""

    def __init__(self, client: AsyncRedis) -> None:
        self.client = client
        self.seats: OrderedDict[Seat, None] = OrderedDict()  # the seat that got a frame last is at the end
        # By queue, the seats whose numbers are not known to be the newest: new seats, seats that a hint has spoken to,
        # and seats that had no place.
        self._untold: dict[str, set[Seat]] = {}
        self._refreshing: dict[Seat, asyncio.Task[None]] = {}
        self._seen: dict[str, News] = {}  # by queue, at the last tick

    def add(self, seat: Seat) -> None:
        """Seat an opened page. It is untold until the next tick."""
        self.seats[seat] = None
        self._untold.setdefault(seat.socket.entry.queue, set()).add(seat)

    def remove(self, seat: Seat) -> None:
        """Forget a closed page: no frame goes to it any more."""
        self.seats.pop(seat, None)
        self._untold[seat.socket.entry.queue].discard(seat)

    def tell_again(self, seat: Seat, *, missed: bool = False) -> None:
        """A hint spoke to this page, or (`missed`) tried to: the next tick tells its numbers again.

        A hint reads numbers beside the ticks, so these numbers may be older than those of the last tick.
        """
        seat.missed, seat.facts = missed, None
        if seat.waits:
            self._untold[_queue(seat)].add(seat)

    async def tell_numbers(self) -> None:
        """Tell each page its numbers if they are new to it. Unless its line moved, only untold pages are looked at."""
        for queue, untold in list(self._untold.items()):
            news = await positions.read_news(self.client, queue)
            moved = self._seen.get(queue) != news
            seats = [seat for seat in (self.seats if moved else untold) if seat.waits and _queue(seat) == queue]
            if seats:
                entries = [Ranked(seat.job_id, seat.socket.entry.score) for seat in seats]
                places = await positions.find(self.client, queue, entries) if news.epoch else [None] * len(entries)
                told = list(zip(seats, places, strict=True))
                await self._tell(told, parse_facts(*news.written), untold, are_known=news.epoch is not None)
            self._seen[queue] = news  # last: after an error above, the next tick tells these pages again

    async def break_silence(self) -> None:
        """Send a frame to each page that got none for SILENCE seconds."""
        before, frames = time.monotonic() - SILENCE, 0
        while self.seats and (seat := next(iter(self.seats))).spoken_at <= before:
            await self.speak(seat, seat.socket.send_tick)
            # A waiting entry has a place, which the tick watches. A running one may have missed the hint of its end:
            # its row is read again beside the tick, because a database that hangs must not silence the other pages.
            # An entry that is put off has no place, and may have missed the hint of its next try.
            if seat.socket.entry.status == Status.RUNNING or seat.socket.entry.is_put_off:
                self._refresh_later(seat)
            frames += 1
            if frames % BREATH == 0:
                await asyncio.sleep(0)

    def _refresh_later(self, seat: Seat) -> None:
        if seat in self._refreshing:
            return  # the last read has not come back yet
        task = self._refreshing[seat] = asyncio.create_task(self.speak(seat, seat.socket.refresh))
        task.add_done_callback(lambda _: self._refreshing.pop(seat, None))

    async def send_away(self) -> None:
        """Close all sockets of this process; the pages connect again, to any process."""
        for seat in list(self.seats):
            await self.speak(seat, seat.socket.go_elsewhere)

    async def speak(self, seat: Seat, say: Callable[..., Awaitable[None]], *what: Any) -> None:
        """Say something to one page. An error is logged; the other pages are told all the same."""
        if seat not in self.seats:
            return  # the page was closed meanwhile
        seat.spoken_at = time.monotonic()
        self.seats.move_to_end(seat)
        try:
            await say(*what)
        except Exception:
            logger.warning("A page of entry %s could not be told", seat.socket.entry.code, exc_info=True)

    async def _tell(
        self, places: list[tuple[Seat, Place | None]], facts: Facts, untold: set[Seat], *, are_known: bool
    ) -> None:
        """Tell the pages their numbers. Without an epoch no place is known (`are_known`), and the pages are told so."""
        frames, lost = 0, []
        for seat, place in places:
            if not seat.waits:
                continue  # the entry has moved on meanwhile
            if seat.missed or (place is None and are_known and not seat.socket.entry.is_put_off):
                lost.append(seat)
            elif seat.update_numbers(place, facts):
                untold.discard(seat)
                await self.speak(
                    seat, seat.socket.send_numbers, snapshot.build(seat.socket.entry, place, facts).as_json()
                )
                frames += 1
                if frames % BREATH == 0:
                    await asyncio.sleep(0)
        await self._look_again(lost, untold)

    async def _look_again(self, lost: list[Seat], untold: set[Seat]) -> None:
        """Read the rows of pages that wait without a place: a hint was lost or missed, or a claim is new."""
        for seat in lost:
            seat.facts = None  # so that the numbers are news to the page when the place comes back
            untold.add(seat)
        await asyncio.gather(*(self.speak(seat, seat.socket.refresh) for seat in lost[:LOOKS]))


def _queue(seat: Seat) -> str:
    return seat.socket.entry.queue
