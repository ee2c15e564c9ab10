"""The wires under sockets: a client that floods the server, or does not read, is cut off.

daphne reads whatever a client sends, control frames too, and keeps in memory whatever a client does not take: it has
neither a limit nor back-pressure, and a client that sends a byte now and then is never pinged. uvicorn makes the sender
wait instead, which is no better: one client that does not read would keep the Announcer from all the others.
"""

import time
from collections.abc import Callable
from typing import Any

import autobahn.twisted.websocket
import autobahn.websocket.protocol
from daphne.ws_protocol import WebSocketProtocol

from queueing.web.origin import App

# Bytes that a client may send in a PERIOD of seconds, with its handshake. A page sends only answers to pings.
BYTES, PERIOD = 128 * 1024, 10.0


class Unread:
    """Told by Twisted that a client has left 64 KiB unread, beside what the kernels keep: it is cut off.

    A page that reads is never so far behind, and one whose network has died connects again. Twisted calls this a
    producer (IPushProducer), which it asks to pause.
    """

    def __init__(self, transport: Any) -> None:
        self.transport = transport

    def pauseProducing(self) -> None:  # noqa: N802  # Twisted's name
        self.transport.abortConnection()

    def resumeProducing(self) -> None:  # noqa: N802
        """Nothing was paused."""

    def stopProducing(self) -> None:  # noqa: N802
        """The connection is closed."""


def guard_wires() -> None:
    """Have daphne watch its sockets. Call once, before the server takes connections.

    daphne has no hook for this, so its methods are wrapped; `tests/processes/test_wires.py` watches them.
    """
    # autobahn formats and colours values for lines of its debug log, also while nobody reads it: a tenth of what a
    # handshake costs, and of what a frame costs.
    for name in ("pformat", "hltype", "hlval"):
        vars(autobahn.websocket.protocol)[name] = vars(autobahn.twisted.websocket)[name] = lambda value: value
    read, opened = WebSocketProtocol.dataReceived, WebSocketProtocol.onOpen

    def data_received(self: Any, data: bytes) -> None:
        if _is_flood(self, len(data)):
            self.transport.abortConnection()
        else:
            read(self, data)

    def on_open(self: Any) -> None:
        self.transport.unregisterProducer()  # it was the HTTP channel, which only stops to read
        self.transport.registerProducer(Unread(self.transport), True)
        opened(self)

    WebSocketProtocol.dataReceived, WebSocketProtocol.onOpen = data_received, on_open


class GuardedWire:
    """ASGI middleware: the same for sockets of a server with asyncio's transports, such as uvicorn.

    Its `send` is a method of the connection. That of daphne is none, and nothing is done here.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        connection: Any = getattr(send, "__self__", None)
        transport: Any = getattr(connection, "transport", None)
        if not hasattr(transport, "get_write_buffer_limits"):
            await self.app(scope, receive, send)
            return
        connection.data_received = _bounded(connection, transport)
        transport.set_protocol(connection)  # uvloop has kept the method of before
        enough, _ = transport.get_write_buffer_limits()  # above it the server may wait

        async def send_or_cut(message: Any) -> None:
            if message["type"] == "websocket.send" and transport.get_write_buffer_size() > enough:
                transport.abort()
            else:
                await send(message)

        await self.app(scope, receive, send_or_cut)


def _bounded(connection: Any, transport: Any) -> Callable[[bytes], None]:
    """The connection's method for what a client sends, which cuts off a flood."""
    read = connection.data_received

    def data_received(data: bytes) -> None:
        if _is_flood(connection, len(data)):
            transport.abort()
        else:
            read(data)

    return data_received


def _is_flood(protocol: Any, size: int) -> bool:
    now, (ends, received) = time.monotonic(), getattr(protocol, "guarded", (0.0, 0))
    if now >= ends:
        ends, received = now + PERIOD, 0
    protocol.guarded = ends, received + size
    return bool(received + size > BYTES)
