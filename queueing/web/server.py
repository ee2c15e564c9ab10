"""daphne with limits: its server and factory, made of the connections of `channel.py`."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import daphne.server  # must come before anything else of Twisted: it chooses the reactor
from daphne.http_protocol import HTTPFactory
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import reactor as _reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred

from queueing.conf import conf
from queueing.web import lobby
from queueing.web.address import is_proxy, network_key
from queueing.web.body_limits import TAKEN
from queueing.web.channel import Channel
from queueing.web.frames import WRITER, writer_of
from queueing.web.guards import guards
from queueing.web.origin import App
from queueing.web.request import Request
from queueing.web.shutdown import Shutdown

logger = logging.getLogger("queueing")
reactor: Any = _reactor  # a module, for the type checker

CHECK = 1.0  # seconds between two looks at the deadlines of all connections
PIECE = 256 * 1024  # bytes of a body that are read at a time
NO_HEADERS: Mapping[str, str] = MappingProxyType({})  # of an open socket


class ClientLost(ConnectionError):
    """The client of a socket has given up before its accept."""


class Factory(HTTPFactory):
    """Makes the connections, and looks at their deadlines. Sockets are no connections of it any more."""

    protocol = Channel

    def __init__(self, server: "Server") -> None:
        super().__init__(server)
        self.timeOut = None  # Twisted's own, which any byte resets
        self.channels: set[Channel] = set()
        self.by_address: Counter[str] = Counter()  # connections that are no proxy's
        self.is_shutting_down = False  # the process ends: each answer closes its connection
        self._clock: Any = self.reactor
        self._checked_at = time.monotonic()
        self._clock.callLater(CHECK, self.check)

    def buildProtocol(self, addr: Any) -> Channel | None:
        """None closes the connection: the address has too many."""
        address = self._counted(addr)
        if address and self.by_address[address] >= conf.MAX_CONNECTIONS_PER_ADDRESS:
            return None
        made: Any = super().buildProtocol(addr)
        made.requestFactory = Request
        channel: Channel = made
        channel.address = address
        self.channels.add(channel)
        if address:
            self.by_address[address] += 1
        return channel

    def forget(self, channel: Channel) -> None:
        """The connection is over, or a WebSocket."""
        if channel not in self.channels:
            return
        self.channels.remove(channel)
        if channel.address:
            self.by_address[channel.address] -= 1
            if not self.by_address[channel.address]:
                del self.by_address[channel.address]

    def check(self) -> None:
        """End every connection that has waited too long. An error with one of them must not end the looking."""
        self._clock.callLater(CHECK, self.check)
        now = time.monotonic()
        late, self._checked_at = now - self._checked_at - CHECK, now
        for channel in list(self.channels):
            try:
                if late > CHECK:  # this process stood still: what clients have sent meanwhile is not read yet
                    channel.since = min(now, channel.since + late)
                channel.check(now)
            except Exception:
                logger.exception("A connection could not be looked at")
                channel.abort()

    def _counted(self, addr: Any) -> str:
        """A key of the peer's network; empty for a proxy, which limits its own clients, and for a Unix socket."""
        host = getattr(addr, "host", "")
        return "" if not host or is_proxy(host) else network_key(host)


class Server(daphne.server.Server):
    """daphne's server: bodies reach the application in pieces, and answers leave as fast as they are read."""

    def __init__(self, application: App, **options: Any) -> None:
        super().__init__(Feeding(application), **options)
        self.ports: list[Any] = []

    def kill_all_applications(self) -> Any:
        """A Deferred that Twisted waits for before it stops. daphne's own cuts off requests under way."""
        return Deferred.fromFuture(asyncio.ensure_future(Shutdown(self).run())).addErrback(self._log_failure)

    @staticmethod
    def _log_failure(failure: Any) -> None:
        logger.error("The process did not end as planned: %s", failure.getTraceback())

    @property
    def http_factory(self) -> Factory:
        """The factory. `run` of daphne makes its own and has no hook for another one."""
        return self._http_factory

    @http_factory.setter
    def http_factory(self, _daphnes_own: HTTPFactory) -> None:
        self._http_factory = Factory(self)

    def listen_success(self, port: Any) -> None:
        """The socket is open. Until this line of the log, a browser is refused."""
        super().listen_success(port)
        self.ports.append(port)
        reactor.callLater(0, lobby.start)  # when the event loop runs: presence is watched from now on
        logger.info("web: listens on %s", _address(port.getHost()))

    def create_application(self, protocol: Any, scope: Any) -> Any:
        if isinstance(protocol, Request):
            scope["extensions"] = {TAKEN: {}}
            scope["request"] = protocol
        elif isinstance(protocol, WebSocketProtocol):
            scope["extensions"] = {WRITER: writer_of(protocol)}
        return super().create_application(protocol, scope)

    def _is_lost(self, socket: WebSocketProtocol) -> bool:
        known = self.connections.get(socket)
        return known is None or bool(known.get("disconnected")) or socket.state == socket.STATE_CLOSED

    def application_checker(self) -> None:
        """daphne's own. An error with one connection must not end the looking at all others."""
        try:
            super().application_checker()
        except Exception:
            logger.exception("An application could not be looked after")
            reactor.callLater(CHECK, self.application_checker)

    async def handle_reply(self, protocol: Any, message: Any) -> None:
        """Send a message in pieces, each when the client has taken the one before.

        Raises ClientLost for the accept of a socket whose client has given up, so that it gets no seat. autobahn
        ends a connection whose handshake takes too long, and hears of its loss a moment later: an accept in between
        would make it forget to tell that loss, and the page would be present for ever.
        """
        if isinstance(protocol, WebSocketProtocol) and self._is_lost(protocol):
            if message["type"] == "websocket.accept":
                raise ClientLost
            return
        for piece in pieces(message):
            await super().handle_reply(protocol, piece)
            channel = getattr(protocol, "channel", None)
            if isinstance(channel, Channel):
                await channel.drained()
        if message["type"] == "websocket.accept":
            _forget_handshake(protocol)


def _address(host: Any) -> str:
    """The address of an open socket, as a browser takes it; that of another kind as Twisted writes it."""
    if not isinstance(host, IPv4Address | IPv6Address):
        return str(host)
    return f"http://[{host.host}]:{host.port}/" if ":" in host.host else f"http://{host.host}:{host.port}/"


def _forget_handshake(socket: WebSocketProtocol) -> None:
    """Let go of what autobahn keeps of the headers, beside the scope: kilobytes for as long as a page is open."""
    socket.http_request_data = socket.http_response_data = None
    socket.http_headers = socket.request.headers = NO_HEADERS


class Feeding:
    """ASGI middleware that hands out a body piece by piece, and gives its room back at the end of the request."""

    def __init__(self, app: App) -> None:
        self.app = app

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        request: Request | None = scope.pop("request", None)
        if request is None:
            return self._until_lost(scope, receive, send)
        return self._feed(request, scope, receive, send)

    async def _until_lost(self, scope: Any, receive: Any, send: Any) -> None:
        with suppress(ClientLost):  # a site's own application may not expect it
            await self.app(scope, receive, send)

    async def _feed(self, request: Request, scope: Any, receive: Any, send: Any) -> None:
        request.is_started = True
        try:
            await self.app(scope, Feed(request.body, receive).receive, send)
        finally:
            request.release(is_over=True)


class Feed:
    """A body as ASGI messages, then what the server says. Each message is a turn of the event loop for all others."""

    def __init__(self, body: Any, receive: Any) -> None:
        self.body, self._receive = body, receive

    async def receive(self) -> Any:
        await asyncio.sleep(0)
        if not self.body.closed:
            piece = self.body.read(PIECE)
            more = len(piece) == PIECE
            if not more:
                self.body.close()
            return {"type": "http.request", "body": piece, "more_body": more}
        while (message := await self._receive())["type"] == "http.request":
            pass  # daphne's own, of an empty body
        return message


def pieces(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The message, with a long body cut into messages that a slow client can take in STALL_SECONDS."""
    body = message.get("body", b"") if message["type"] == "http.response.body" else b""
    size = max(16 * 1024, int(conf.MIN_RATE * conf.STALL_SECONDS))
    if len(body) <= size:
        yield message
        return
    for start in range(0, len(body), size):
        is_last = start + size >= len(body)
        more = not is_last or message.get("more_body", False)
        yield {"type": message["type"], "body": body[start : start + size], "more_body": more}


def guard_handshakes() -> None:
    """Give the headers of every answer to a refused WebSocket handshake, too. Call once."""
    send = WebSocketProtocol.sendHttpErrorResponse

    def send_guarded(self: Any, code: int, reason: str, headers: Any = None) -> None:
        send(self, code, reason, [*guards().items(), ("Connection", "close"), *(headers or ())])

    WebSocketProtocol.sendHttpErrorResponse = send_guarded
