"""The ASGI application, and the start of a web process."""

import gc
import logging
from collections.abc import Callable
from typing import Any

from channels.routing import ProtocolTypeRouter
from channels.sessions import CookieMiddleware
from django.core.exceptions import ImproperlyConfigured

from queueing import serving, shared_clock
from queueing.conf import site
from queueing.web import lobby
from queueing.web.bodies import pages
from queueing.web.body_limits import BodyLimits
from queueing.web.content_type import FormsOnly
from queueing.web.database import use_pool
from queueing.web.origin import App, SameOrigin, refuse_malformed_origins
from queueing.web.overload import RequestsInTurn, SocketsInTurn
from queueing.web.paths import path_of
from queueing.web.proxies import tell_of_upgrade
from queueing.web.routing import websockets
from queueing.web.turnstile import Turnstile
from queueing.web.wire import GuardedWire, guard_wires

logger = logging.getLogger("queueing")

FULL_COLLECTION = 50  # collections of the middle generation until one of everything is considered; Python's own: 10


def with_queue(http: App, sockets: App | None = None) -> App:
    """An ASGI application: Django for HTTP, the queue's consumer for its sockets. Call once in a process.

    The limits of bodies hold for the pages below the queue's URLs. Without `sockets`, the site's own application for
    WebSockets, all others are refused. Raises ImproperlyConfigured for routes that are no application yet.
    """
    if sockets is not None and not callable(sockets):
        raise ImproperlyConfigured(
            f"with_queue takes an ASGI application for your sockets, not a {type(sockets).__name__}. "
            "Write URLRouter(routes) of channels.routing, within what guards them: AuthMiddlewareStack, for example."
        )
    refuse_malformed_origins()
    guard_wires()
    if not serving.is_application_looked_at():
        use_pool()
        shared_clock.follow()
    ours: App = GuardedWire(SameOrigin(CookieMiddleware(Turnstile(SocketsInTurn(websockets)))))
    application = LobbyStarter(
        ProtocolTypeRouter(
            {
                "http": Below(
                    pages,
                    RequestsInTurn(FormsOnly(BodyLimits(http))),
                    others=Below(_sockets, _WithoutUpgrade(http), others=http),
                ),
                "websocket": Below(_sockets, ours, others=sockets or ours),
            }
        )
    )
    collect_less()
    return application


class Below:
    """ASGI middleware that calls one application for the paths below a prefix, and another one for all others."""

    def __init__(self, prefix: Callable[[], str], app: App, *, others: App) -> None:
        self.prefix, self.app, self.others = prefix, app, others

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        app = self.app if path_of(scope).startswith(self.prefix()) else self.others
        await app(scope, receive, send)


class _WithoutUpgrade:
    """ASGI middleware for plain requests at the addresses of sockets: the log tells what may have made them so."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        tell_of_upgrade(scope)
        await self.app(scope, receive, send)


def _sockets() -> str:
    return f"/{site.SOCKET_PREFIX}entry/"


class LobbyStarter:
    """ASGI middleware that makes the Lobbies of this event loop at the first call of any kind.

    That is the lifespan, where the server has one: presence is watched before the first visitor comes. For daphne,
    which has none, `web/server.py` makes them.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        lobby.start()
        serving.sockets_are_served()
        await self.app(scope, receive, send)


def collect_less() -> None:
    """Make full garbage collections rare. Call once, when the process has imported what it needs.

    A full collection stops a process with 5,000 open pages, a million objects, for most of a second. While everybody's
    numbers change each second there was one every 20 s. With this they are a fifth as frequent, and do not look at what
    was imported before. A closed page leaves some forty objects to them.
    """
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, FULL_COLLECTION)
