"""ASGI middleware of the queue: the Lobby's start, and the origin check of sockets."""

import gc
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.utils.http import is_same_domain

from queueing.consumers import Refuse
from queueing.lobby import get_lobby

App = Callable[[Any, Any, Any], Awaitable[None]]

FULL_COLLECTION = 50  # collections of the middle generation until one of everything is considered; Python's own: 10


class LobbyStarter:
    """Makes the Lobby of this event loop at the first call of any kind; daphne has no lifespan.

    So a web process keeps `presence:watch` alive even before its first visitor.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        collect_less()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        get_lobby()
        await self.app(scope, receive, send)


def collect_less() -> None:
    """A full garbage collection stops a process with 5,000 open pages, a million objects, for most of a second.

    While everybody's numbers change each second there was one every 20 s. Now they are a fifth as frequent, and do
    not look at what was imported before this call. What a closed page leaves for them is some forty objects.
    """
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, FULL_COLLECTION)


class SameOrigin:
    """Refuses sockets that were opened by a page of another site, with 403.

    An origin is accepted when it is this very site (scheme, host and port) on an allowed host, or in
    CSRF_TRUSTED_ORIGINS. A missing or malformed one is refused.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if is_accepted(scope):
            await self.app(scope, receive, send)
        else:
            await Refuse()(scope, receive, send)


def is_accepted(scope: Any) -> bool:
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    try:
        origin = urlsplit(headers.get(b"origin", ""))
        port = origin.port  # raises ValueError when it is no number
    except ValueError:
        return False
    if origin.scheme not in {"http", "https"} or not origin.hostname:
        return False
    if any(_is_trusted(origin, urlsplit(trusted)) for trusted in settings.CSRF_TRUSTED_ORIGINS):
        return True
    host = headers.get(b"host", "").lower()
    if origin.netloc.lower() != host or origin.scheme != _scheme(scope, headers):
        return False
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS) and port != 0


def _is_trusted(origin: SplitResult, trusted: SplitResult) -> bool:
    """As Django reads its setting for forms: "https://*.example.org" stands for all subdomains."""
    pattern = trusted.netloc.removeprefix("*") if trusted.netloc.startswith("*.") else trusted.netloc
    return origin.scheme == trusted.scheme and is_same_domain(origin.netloc, pattern)


def _scheme(scope: Any, headers: dict[bytes, str]) -> str:
    """http or https as the browser saw it."""
    if header := getattr(settings, "SECURE_PROXY_SSL_HEADER", None):
        name, secure = header
        if headers.get(name.removeprefix("HTTP_").replace("_", "-").lower().encode()) == secure:
            return "https"
    return "https" if scope.get("scheme") in {"wss", "https"} else "http"
