"""A bound on the requests and the new sockets that a web process works on at the same time.

A crowd that comes at once, after a restart say, is taken one after the other. If all were begun together, all would be
done at the end only, and most of them given up by then: a page waits 10 s for its socket. And each request that Django
works on has a thread; hundreds of them would leave the event loop little of the core that they share.

Those that would wait too long are refused. Under daphne that happens at the headers (`channel.py`), before the costs of
a handshake; under other servers in the ASGI middleware here.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from queueing.conf import site
from queueing.web.bodies import pages
from queueing.web.origin import App
from queueing.web.paths import below_root, path_of
from queueing.web.refusals import OVERLOADED, scribe

# Addresses that tell of the state of this process, so they have to be answered whatever it is.
ALWAYS = frozenset({"healthz", "readyz", "metrics"})


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of one kind of work."""

    at_once: int  # begun, and not yet answered
    longest_queue: int  # that wait for their turn
    patience: float  # seconds of waiting after which the client will soon have given up
    answers: frozenset[str]  # the types of the ASGI messages that are an answer


class Room:
    """The places for one kind of work in one event loop."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._taken = 0
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def is_full(self) -> bool:
        """True if so many wait that one more would wait too long."""
        return len(self._waiting) >= self.bounds.longest_queue

    async def enter(self) -> None:
        """Wait for a place. The latest comes first: one that has waited for longer is likelier to have given up.

        Raises TimeoutError when the client will soon have given up.
        """
        if self._taken < self.bounds.at_once:
            self._taken += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self.bounds.patience):
                await turn
        except BaseException:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif not turn.cancelled():  # the turn had come at the same moment
                self.leave()
            raise

    def leave(self) -> None:
        """Give the place to the next one."""
        while self._waiting:
            if not (turn := self._waiting.pop()).done():  # a task that was cancelled has not run since
                turn.set_result(None)
                return
        self._taken -= 1


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
        room = self.room
        if room.is_full:
            return False
        try:
            await room.enter()
        except TimeoutError:
            return False
        has_place = True

        def leave() -> None:
            nonlocal has_place
            if has_place:
                has_place = False
                room.leave()

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
REQUESTS = Turns(Bounds(at_once=16, longest_queue=100, patience=8, answers=HTTP))
# A page polls while it waits for its socket, so polls must leave the core to the sockets.
POLLS = Turns(Bounds(at_once=2, longest_queue=100, patience=4, answers=HTTP))
# A page waits 10 s for its socket. One whose page has given up would be present for a moment, and then held.
SOCKETS = Turns(Bounds(at_once=100, longest_queue=3_000, patience=5, answers=SOCKET))


def turns_of(method: str, path: str, *, is_socket: bool) -> Turns | None:
    """The turns that a request waits for; None for one that need not wait.

    Requests with a body have limits of their own (`bodies.py`), and the end of a visit must not be refused. Staff have
    to steer the lines of a site that has too much to do.
    """
    if is_socket:
        return SOCKETS if path.startswith(f"/{site.SOCKET_PREFIX}entry/") else None
    prefix = pages()
    if method not in {"GET", "HEAD"} or not path.startswith(prefix) or path.removeprefix(prefix) in ALWAYS:
        return None
    if path.startswith(_others()):
        return None
    return POLLS if path.endswith("/status.json") else REQUESTS


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
        if turns is None:
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
