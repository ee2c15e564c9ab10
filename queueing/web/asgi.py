"""The start of a web process."""

import gc
import logging
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer

from queueing.models.trouble import DATABASE_ERRORS
from queueing.web.consumers import TRY_AGAIN_LATER
from queueing.web.lobby import get_lobby
from queueing.web.origin import App

logger = logging.getLogger("queueing")

FULL_COLLECTION = 50  # collections of the middle generation until one of everything is considered; Python's own: 10


class LobbyStarter:
    """ASGI middleware that makes the Lobby of this event loop at the first call of any kind; daphne has no lifespan.

    So a web process keeps `presence:watch` alive even before its first visitor.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        get_lobby()
        await self.app(scope, receive, send)


class GoElsewhere(AsyncWebsocketConsumer):
    """Sends a page away, to come again later."""

    async def connect(self) -> None:
        await self.accept()  # without it the browser would get a 500
        await self.close(TRY_AGAIN_LATER)


class SendAway:
    """ASGI middleware for sockets: a page whose session cannot be read is sent away.

    The consumer does the same when it cannot read the entry. But the session and its user come first.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        has_answer = False

        async def noted(message: Any) -> None:
            nonlocal has_answer
            has_answer = True
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except DATABASE_ERRORS as error:
            if has_answer:
                raise
            logger.warning("The page of a socket is sent away: %s", error)
            await GoElsewhere()(scope, receive, send)


def collect_less() -> None:
    """Make full garbage collections rare. Call once, when the process has imported what it needs.

    A full collection stops a process with 5,000 open pages, a million objects, for most of a second. While everybody's
    numbers change each second there was one every 20 s. With this they are a fifth as frequent, and do not look at what
    was imported before. A closed page leaves some forty objects to them.
    """
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, FULL_COLLECTION)
