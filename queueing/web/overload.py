"""A bound on the requests and the new sockets that a web process works on at the same time.

A crowd that comes at once, after a restart say, is taken one after the other. If all were begun together, all would be
done at the end only, and most of them given up by then: a page waits 10 s for its socket. And each request that Django
works on has a thread; hundreds of them would leave the event loop little of the core that they share.

Those that would wait too long are refused. Under daphne that happens at the headers (`channel.py`), before the costs of
a handshake; under other servers in the ASGI middleware here.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from queueing.conf import site
from queueing.web import bodies
from queueing.web.address import address_of_scope, network_key
from queueing.web.bodies import pages
from queueing.web.body_limits import TAKEN
from queueing.web.origin import App
from queueing.web.paths import below_root, path_of
from queueing.web.refusals import OVERLOADED, scribe


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of one kind of work."""

    at_once: int  # begun, and not yet answered
    longest_queue: int  # that wait for their turn
    patience: float  # seconds of waiting after which the client will soon have given up
    answers: frozenset[str]  # the types of the ASGI messages that are an answer


class Room:
    """The places for one kind of work in one event loop, shared fairly by the addresses that ask for them.

    The next free place is for the address with the fewest of them. When too many wait, the address with the most
    waiting loses its oldest one. So a crowd from one address costs itself.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._taken: Counter[str] = Counter()  # places, by address
        # By address, both in the order of their coming, the latest at the end. A dict keeps the order of its keys.
        self._waiting: dict[str, dict[asyncio.Future[None], None]] = {}
        self.waiting = 0  # all of them

    def is_full(self, address: str) -> bool:
        """True if so many wait that one more of this address would be the one to lose."""
        if self.waiting < self.bounds.longest_queue:
            return False
        return len(self._waiting.get(address, ())) >= max(map(len, self._waiting.values()))

    async def enter(self, address: str) -> None:
        """Wait for a place. Of an address the latest comes first: the others are likelier to have given up.

        Raises TimeoutError when the client will soon have given up, or when this one was the one to lose.
        """
        if self._taken.total() < self.bounds.at_once:
            self._taken[address] += 1
            return
        self._make_room()
        turn = asyncio.get_running_loop().create_future()
        turns = self._waiting[address] = self._waiting.pop(address, {})
        turns[turn] = None
        self.waiting += 1
        try:
            async with asyncio.timeout(self.bounds.patience):
                await turn
        except BaseException:
            if not self._forget(address, turn) and not turn.cancelled() and turn.exception() is None:
                self.leave(address)  # the turn had come at the same moment
            raise

    def leave(self, address: str) -> None:
        """Give a place of this address to the next one."""
        self._taken[address] -= 1
        if not self._taken[address]:
            del self._taken[address]
        while self._waiting:
            following = self._next_address()
            turn = next(reversed(self._waiting[following]))
            self._forget(following, turn)
            if not turn.done():  # a task that was cancelled has not run since
                self._taken[following] += 1
                turn.set_result(None)
                return

    def _next_address(self) -> str:
        """The one with the fewest places; of several, the one that came last. Few addresses have a place at all."""
        for address in reversed(self._waiting):
            if address not in self._taken:
                return address
        return min(reversed(self._waiting), key=self._taken.__getitem__)

    def _make_room(self) -> None:
        if self.waiting < self.bounds.longest_queue:
            return
        address = max(self._waiting, key=lambda one: len(self._waiting[one]))
        turn = next(iter(self._waiting[address]))
        self._forget(address, turn)
        if not turn.done():
            turn.set_exception(TimeoutError())

    def _forget(self, address: str, turn: "asyncio.Future[None]") -> bool:
        """Take it from those that wait; True if it was among them."""
        turns = self._waiting.get(address, {})
        if turn not in turns:
            return False
        del turns[turn]
        self.waiting -= 1
        if not turns:
            del self._waiting[address]
        return True


class Turns:
    """One kind of work in this process."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._rooms: WeakKeyDictionary[asyncio.AbstractEventLoop, Room] = WeakKeyDictionary()

    @property
    def room(self) -> Room:
        """That of the running event loop."""
        return self._rooms.setdefault(asyncio.get_running_loop(), Room(self.bounds))

    async def take(self, app: App, scope: Any, receive: Any, send: Any) -> bool:
        """Call the application when there is a place for it. It has the place until it begins to answer, or ends.

        False, without a call, if the queue is too long or the wait was.
        """
        room, address = self.room, network_key(address_of_scope(scope))
        if room.is_full(address):
            return False
        try:
            await room.enter(address)
        except TimeoutError:
            return False
        has_place = True

        def leave() -> None:
            nonlocal has_place
            if has_place:
                has_place = False
                room.leave(address)

        async def noted(message: Any) -> None:
            if message["type"] in self.bounds.answers:
                leave()
            await send(message)

        try:
            await app(scope, receive, noted)
        finally:
            leave()
        return True


HTTP, SOCKET = frozenset({"http.response.start"}), frozenset({"websocket.send", "websocket.close"})
PAGES = Turns(Bounds(at_once=16, longest_queue=500, patience=8, answers=HTTP))
# A page polls while it waits for its socket, so polls must leave the core to the sockets.
POLLS = Turns(Bounds(at_once=2, longest_queue=100, patience=4, answers=HTTP))
# Changes, and all else. A join may wait for a checker, so these have more places; and each page asks for several static
# files, without which it does not work.
OTHERS = Turns(Bounds(at_once=32, longest_queue=2_000, patience=8, answers=HTTP))
# It tells of the state of this process, so it has to be answered whatever that is.
HEALTH = Turns(Bounds(at_once=4, longest_queue=100, patience=8, answers=HTTP))
# A page waits 10 s for its socket. One whose page has given up would be present for a moment, and then held.
SOCKETS = Turns(Bounds(at_once=100, longest_queue=3_000, patience=5, answers=SOCKET))


def turns_of(method: str, path: str, *, is_socket: bool) -> Turns | None:
    """The turns that a request waits for; None for one of the site around the queue."""
    if is_socket:
        return SOCKETS if path.startswith(f"/{site.SOCKET_PREFIX}entry/") else None
    prefix = pages()
    if not path.startswith(prefix):
        return None
    name = path.removeprefix(prefix)
    if name == "healthz":
        return HEALTH
    if method not in {"GET", "HEAD"} or name in {"readyz", "metrics"} or path.startswith(_others()):
        return OTHERS
    return POLLS if path.endswith("/status.json") else PAGES


@cache
def _others() -> tuple[str, ...]:
    """Where static files and the admin are, if the pages of the queue are the root of a site."""
    found = [settings.STATIC_URL] if settings.STATIC_URL else []
    with suppress(NoReverseMatch):
        found.append(reverse("admin:index"))
    return tuple(map(below_root, found))


class RequestsInTurn:
    """ASGI middleware: a request waits for its turn, and is refused with 503 behind a long queue."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        turns = turns_of(scope["method"], path_of(scope), is_socket=False)
        is_on_its_way = bodies.has_body(scope) and TAKEN not in scope.get("extensions", {})
        if turns is None or is_on_its_way:  # a slow body would keep its place for long; its room is bounded
            await self.app(scope, receive, send)
        elif not await turns.take(self.app, scope, receive, send):
            scribe.note(OVERLOADED, scope, 0)
            headers, content = OVERLOADED.answer()
            await send({"type": "http.response.start", "status": OVERLOADED.status, "headers": headers})
            await send({"type": "http.response.body", "body": content})


class SocketsInTurn:
    """ASGI middleware: a new socket waits for its turn, and is refused behind a long queue. Its page comes again."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if not await SOCKETS.take(self.app, scope, receive, send):
            scribe.note(OVERLOADED, scope, 0)
            await send({"type": "websocket.close"})  # which the client reads as 403
