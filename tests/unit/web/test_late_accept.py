"""A socket that is accepted when its client, or its server, has given it up already: it gets no seat."""

import asyncio
from typing import Any, override

import pytest
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from twisted.internet.error import ConnectionAborted
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.python.failure import Failure

from queueing.web.server import ClientLost, Server

HANDSHAKE = (
    b"GET /ws/ HTTP/1.1\r\nHost: queue.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Transport(StringTransportWithDisconnection):
    """Twisted's own for tests, but as a TCP connection: it ends in a later turn of the event loop."""

    is_aborted = False

    @override
    def abortConnection(self) -> None:
        self.is_aborted = True

    @override
    def unregisterProducer(self) -> None:
        """Nothing has to be registered."""


@pytest.fixture
def told() -> list[str]:
    """The types of the messages that the application got."""
    return []


def serving(application: Any) -> Server:
    made = Server(application, endpoints=["tcp:0"])
    made.connections = {}  # `run` of daphne begins with these two
    made.ws_factory = WebSocketFactory(made, server=None)
    return made


async def given_up(server: Server) -> WebSocketProtocol:
    """A socket whose handshake has taken too long, before its transport has told so."""
    socket: WebSocketProtocol = server.ws_factory.buildProtocol(None)
    socket._raw_query_string = b""  # daphne gets it from the request
    transport = Transport()
    socket.makeConnection(transport)
    socket.dataReceived(HANDSHAKE)
    await asyncio.sleep(0)
    socket.onOpenHandshakeTimeout()  # autobahn's timer
    assert transport.is_aborted
    return socket


async def test_the_application_is_told_when_its_connection_is_lost(told: list[str]) -> None:
    async def application(_scope: Any, receive: Any, _send: Any) -> None:
        while "websocket.disconnect" not in told:
            told.append((await receive())["type"])

    server = serving(application)
    socket = await given_up(server)
    with pytest.raises(ClientLost):
        await server.handle_reply(socket, {"type": "websocket.accept"})
    socket.connectionLost(Failure(ConnectionAborted()))
    for _ in range(10):
        await asyncio.sleep(0)
    assert told == ["websocket.connect", "websocket.disconnect"]


async def test_an_application_of_the_sites_own_ends_at_its_accept(told: list[str]) -> None:
    may_accept = asyncio.Event()

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await may_accept.wait()
        await send({"type": "websocket.accept"})
        told.append("accepted")

    server = serving(application)
    socket = await given_up(server)
    may_accept.set()
    await server.connections[socket]["application_instance"]  # without an error, which daphne would log
    assert told == []
