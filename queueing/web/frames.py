"""Frames that are made once for all sockets of daphne, and pings that travel with them.

A page that hears nothing for long is sent a tick. Through the layers of Channels and daphne that costs four times as
much as the frame itself; and a ping at another moment costs a call of the kernel of its own, and two to wait for it.
"""

import time
from collections.abc import Callable
from typing import Any

from autobahn.websocket.protocol import PreparedMessage

# ASGI extension: a function that writes a frame that was made before to the socket of this scope.
WRITER = "queueing.frames"

type Writer = Callable[[PreparedMessage], None]


def made_once(text: str) -> PreparedMessage:
    """A text message, for any number of sockets."""
    return PreparedMessage(text.encode(), isBinary=False, applyMask=False, doNotCompress=True)


def writer_of(protocol: Any) -> Writer:
    """The function for the connection of a socket (daphne's WebSocketProtocol). It writes to an open one only."""

    def write(frame: PreparedMessage) -> None:
        if protocol.state != protocol.STATE_OPEN:
            return
        protocol.sendPreparedMessage(frame)
        # As `check_timeouts` of daphne does, but sooner. autobahn knows one ping at a time that has no answer yet.
        is_due = time.time() - protocol.last_ping > protocol.server.ping_interval / 2
        if is_due and protocol.autoPingTimeoutCall is None:
            protocol._sendAutoPing()  # noqa: SLF001  # daphne calls it, too
            protocol.last_ping = time.time()

    return write
