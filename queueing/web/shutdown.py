"""The planned end of a web process under daphne, after SIGTERM or SIGINT.

1. For SHUTDOWN_NOTICE /healthz says 503, so that a proxy which asks chooses another process from now on.
2. The ports are closed. A proxy that has not asked sees its connections refused, and tries another process.
3. Requests under way are answered, for SHUTDOWN_SECONDS at most. Each answer closes its connection. A connection
   without a request stays for QUIET more seconds, because a proxy may be sending its next request there.
4. The Lobby hands its pages over: they are present for PRESENCE_TTL more, and connect to another process.
5. The rest is cancelled.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import connectionDone

from queueing import serving
from queueing.conf import conf
from queueing.line.clients import RedisError
from queueing.web import lobby

if TYPE_CHECKING:
    from queueing.web.server import Server

logger = logging.getLogger("queueing")

QUIET = 0.5  # seconds
MOST_WAITING = 10_000  # connections that nobody has taken: far more than the kernel keeps for a port
TELLING = 3.0  # seconds for telling the pages to go; longer means that Redis does not answer
HANDING_OVER = 6.0  # seconds from the first word to the pages until their sockets have ended
CANCELLING = 3.0  # seconds
EVERY = 0.05  # seconds between two looks


class Shutdown:
    """The end of one server."""

    def __init__(self, server: "Server") -> None:
        self.server = server

    async def run(self) -> None:
        """Returns when nothing is left to do."""
        serving.announce_end()
        await asyncio.sleep(conf.SHUTDOWN_NOTICE)
        began = time.monotonic()
        self._close_ports()
        channels = self.server.http_factory.channels
        self.server.http_factory.is_shutting_down = True
        for channel in channels:
            channel.end_with_answer()
        await _until(lambda: all(channel.is_quiet_since(began, QUIET) for channel in channels), conf.SHUTDOWN_SECONDS)
        if channels:
            logger.info("%d connections are closed", len(channels))
        await self._hand_over()
        await self._cancel()

    def _close_ports(self) -> None:
        """Close the ports, but take the connections that the kernel has accepted already.

        The kernel resets a connection that nobody has taken when its port closes, and a proxy does not repeat a form
        that it has sent there. So the ports close in the turn of the event loop in which the last connection is taken;
        `stopListening` of Twisted waits for the next turn, which is long in a busy process.
        """
        for port in self.server.ports:
            try:
                port.numberAccepts = MOST_WAITING  # by default as many as came together the last time: mostly one
                port.doRead()
                port.stopReading()
                port.connectionLost(connectionDone)
            except Exception:
                logger.exception("A port could not be closed")

    async def _hand_over(self) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(TELLING):
                await lobby.hand_over()
        except (RedisError, TimeoutError) as error:
            logger.warning("The pages could not be handed over: %r", error)
        await _until(lambda: not self._running(), began + HANDING_OVER - time.monotonic())

    async def _cancel(self) -> None:
        left = self._running()
        for application in left:
            application.cancel()
        if left:
            await asyncio.wait(left, timeout=CANCELLING)

    def _running(self) -> "list[asyncio.Future[None]]":
        """The applications that have not ended; a connection whose handshake goes on has none yet."""
        applications: Iterable[Any] = (details.get("application_instance") for details in self._connections())
        return [application for application in applications if application is not None and not application.done()]

    def _connections(self) -> list[dict[str, Any]]:
        return list(self.server.connections.values())


async def _until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait for this condition, at most for so long."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:  # noqa: ASYNC110  # nobody tells of it
        await asyncio.sleep(EVERY)
