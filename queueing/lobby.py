"""The Lobby: the open pages of one web process. It beats for all of them at once, and tells them their numbers.

One Lobby a running event loop, made at the first ASGI call of any kind (daphne has no lifespan). The pulse renews
presence every HEARTBEAT_INTERVAL; the tick, each second, pushes numbers to those whose numbers changed.
"""

import asyncio
import contextlib
import logging
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Protocol, cast
from weakref import WeakKeyDictionary

import redis
import redis.asyncio

from queueing import keys, snapshot
from queueing.conf import conf
from queueing.keys import milliseconds
from queueing.models import Entry
from queueing.presence import Cause, close_arguments
from queueing.snapshot import Place
from queueing.states import Status
from queueing.stats import Facts, parse_facts

logger = logging.getLogger("queueing")

CHUNK = 500  # ids in one call of the beat script: about 1 ms of Redis
TICK = 1.0  # seconds
SILENCE = 10.0  # seconds without a frame after which a page is sent a tick, since it cannot see protocol pings
WHOLE_LINE = 100  # local waiting entries from which one read of the whole line beats a rank for each


class Socket(Protocol):
    """What the Lobby asks of a consumer."""

    entry: Entry

    async def send_numbers(self, numbers: dict[str, Any]) -> None: ...
    async def send_tick(self) -> None: ...
    async def refresh(self) -> None: ...
    async def go_elsewhere(self) -> None: ...


@dataclass(slots=True)
class Seat:
    """An open page: what it was told, and when it last got a frame."""

    socket: Socket
    is_owner: bool
    told: tuple[Any, ...] = ()
    spoken_at: float = field(default_factory=time.monotonic)


class Lobby:
    """The open pages of this process. `pulse()` and `tick()` are one step each, and can be called by tests."""

    def __init__(self) -> None:
        self.client: redis.asyncio.Redis = keys.async_connection()
        self.seats: dict[str, list[Seat]] = {}  # by job id
        self._versions: dict[str, tuple[bytes | None, bytes | None]] = {}
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
        """A page was opened. Its owner is present from now on; staff look without being counted."""
        seat = Seat(socket, is_owner)
        self.seats.setdefault(socket.entry.job_id, []).append(seat)
        try:
            if is_owner and socket.entry.is_live:
                await self._beat(socket.entry.queue, [socket.entry.job_id])
        except BaseException:
            self._remove(seat)  # this page will be sent away; a seat that stayed would be present for ever
            raise
        return seat

    async def leave(self, seat: Seat, cause: Cause) -> bool:
        """A page was closed. True when it was the last one of its owner here, and the absence begins."""
        entry = seat.socket.entry
        seats = self._remove(seat)
        if not seat.is_owner or not entry.is_live or any(other.is_owner for other in seats):
            return False
        await keys.async_script(self.client, "close")(
            keys=keys.as_list(keys.line_keys(entry.queue)), args=close_arguments(entry.job_id, cause)
        )
        return True

    def _remove(self, seat: Seat) -> list[Seat]:
        """Give up a seat; returns the other ones of its entry."""
        job_id = seat.socket.entry.job_id
        seats = [other for other in self.seats.pop(job_id, []) if other is not seat]
        if seats:
            self.seats[job_id] = seats
        return seats

    async def beat_for(self, entry: Entry) -> None:
        """Another process lost its last page of this entry; if there is one here, it is present all the same."""
        if any(seat.is_owner for seat in self.seats.get(entry.job_id, [])):
            await self._beat(entry.queue, [entry.job_id])

    # Steps

    async def pulse(self) -> None:
        """Renew the presence of all local entries, then say that this process is watching."""
        for queue, job_ids in self._owned().items():
            for start in range(0, len(job_ids), CHUNK):
                await self._beat(queue, job_ids[start : start + CHUNK])
        await self._keep_watch()
        self._beaten_at = time.monotonic()

    async def tick(self) -> None:
        """Beat at once after a flush; push the numbers that changed; break long silences."""
        if time.monotonic() - self._beaten_at > conf.PRESENCE_TTL:
            await self._send_away()
        if not await self.client.exists(keys.WATCH):
            await self.pulse()
        for queue, seats in self._waiting().items():
            await self._push_numbers(queue, seats)
        await self._break_silence()

    async def _push_numbers(self, queue: str, seats: list[Seat]) -> None:
        line = keys.line_keys(queue)
        version, raw = cast(list[bytes | None], await self.client.mget(line.version, keys.facts_key(queue)))
        facts = parse_facts(raw)
        moved = self._versions.get(queue) != (version, raw)
        newcomers = [seat for seat in seats if not seat.told]
        places = await self._places(line, seats if moved else newcomers)
        self._versions[queue] = (version, raw)  # only now: an error on the way is made good by the next tick
        for seat, place in places:
            await self._tell(seat, place, facts)

    async def _places(self, line: keys.LineKeys, seats: list[Seat]) -> list[tuple[Seat, Place | None]]:
        """Where each seat's entry stands; None when it has no place (claimed, running, over)."""
        if len(seats) < WHOLE_LINE:
            return [(seat, await self._place(line, seat.socket.entry)) for seat in seats]
        order = cast(list[bytes], await self.client.zrange(line.line, 0, -1))
        waiting = {job_id: rank for rank, job_id in enumerate(order)}
        held = cast(list[tuple[bytes, float]], await self.client.zrange(line.held, 0, -1, withscores=True))
        return [(seat, _find(seat.socket.entry, waiting, held)) for seat in seats]

    async def _place(self, line: keys.LineKeys, entry: Entry) -> Place | None:
        async with self.client.pipeline(transaction=False) as pipe:
            pipe.zrank(line.line, entry.job_id)
            pipe.zcount(line.held, "-inf", f"({entry.score}")
            rank, held_ahead = await pipe.execute()
        return None if rank is None else Place(rank, held_ahead)

    async def _tell(self, seat: Seat, place: Place | None, facts: Facts) -> None:
        if place is None:
            # No place, though it waits as far as this page knows: a hint was lost, or it is just being claimed.
            seat.told = ()
            await self._speak(seat, seat.socket.refresh())
            return
        told = (place, facts)
        if seat.told != told and seat.socket.entry.status == Status.WAITING:  # or it has moved on meanwhile
            seat.told = told
            numbers = snapshot.build(seat.socket.entry, place, facts).as_json()
            await self._speak(seat, seat.socket.send_numbers(numbers))

    async def _break_silence(self) -> None:
        now = time.monotonic()
        for seats in list(self.seats.values()):
            for seat in list(seats):
                if now - seat.spoken_at >= SILENCE:
                    # Who waits has a place that the tick watches; who runs may have missed the hint of the end.
                    running = seat.socket.entry.status == Status.RUNNING
                    await self._speak(seat, seat.socket.refresh() if running else seat.socket.send_tick())

    async def _send_away(self) -> None:
        """This process could not beat for a whole PRESENCE_TTL: its pages are better off with another one."""
        logger.warning("No beat for %s s: closing %d pages", conf.PRESENCE_TTL, len(self.seats))
        for seats in list(self.seats.values()):
            for seat in list(seats):
                await self._speak(seat, seat.socket.go_elsewhere())
        self._beaten_at = time.monotonic()

    # Details

    async def _beat(self, queue: str, job_ids: list[str]) -> None:
        await keys.async_script(self.client, "beat")(
            keys=keys.as_list(keys.line_keys(queue)), args=[milliseconds(conf.PRESENCE_TTL), *job_ids]
        )

    async def _keep_watch(self) -> None:
        """ "Since" stays as it is while web processes keep beating, and begins anew after a gap or a flush."""
        life = milliseconds(3 * conf.HEARTBEAT_INTERVAL)
        if not await self.client.pexpire(keys.WATCH, life):
            seconds, micros = await self.client.time()
            await self.client.set(keys.WATCH, seconds * 1000 + micros // 1000, px=life, nx=True)

    def _owned(self) -> dict[str, list[str]]:
        """Live entries with an owner's page here, by queue."""
        owned: dict[str, list[str]] = {}
        for job_id, seats in self.seats.items():
            for seat in seats:
                if seat.is_owner and seat.socket.entry.is_live:
                    owned.setdefault(seat.socket.entry.queue, []).append(job_id)
                    break
        return owned

    def _waiting(self) -> dict[str, list[Seat]]:
        waiting: dict[str, list[Seat]] = {}
        for seats in self.seats.values():
            for seat in seats:
                if seat.socket.entry.status == Status.WAITING:
                    waiting.setdefault(seat.socket.entry.queue, []).append(seat)
        return waiting

    async def _speak(self, seat: Seat, sending: Coroutine[Any, Any, None]) -> None:
        """One page that cannot be reached must not keep the others waiting for their numbers."""
        seat.spoken_at = time.monotonic()
        try:
            await sending
        except Exception:
            logger.warning("A page of entry %s could not be told", seat.socket.entry.code, exc_info=True)

    async def _forever(self, step: Callable[[], Awaitable[None]], interval: Callable[[], float]) -> None:
        while True:
            try:
                await step()
            except redis.RedisError as error:
                logger.warning("Lobby: Redis is away (%s)", error)
            except Exception:
                logger.exception("Lobby: a step failed")
            await asyncio.sleep(interval())


def _find(entry: Entry, waiting: dict[bytes, int], held: list[tuple[bytes, float]]) -> Place | None:
    rank = waiting.get(entry.job_id.encode())
    if rank is None:
        return None
    return Place(rank, bisect_left(held, entry.score, key=itemgetter(1)))


_lobbies: "WeakKeyDictionary[asyncio.AbstractEventLoop, Lobby]" = WeakKeyDictionary()


def get_lobby() -> Lobby:
    """The Lobby of the running event loop."""
    loop = asyncio.get_running_loop()
    lobby = _lobbies.get(loop)
    if lobby is None:
        lobby = _lobbies[loop] = Lobby()
        lobby.start()
    return lobby
