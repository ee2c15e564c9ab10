"""Refuses sockets that were opened by a page of another site, with 403."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import SplitResult, urlsplit

from daphne.ws_protocol import WebSocketProtocol
from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.utils.http import is_same_domain

from queueing.web.consumers import Refuse

THIS_MACHINE = [".localhost", "127.0.0.1", "[::1]"]  # as in Django's HttpRequest.get_host

type App = Callable[[Any, Any, Any], Awaitable[None]]


class SameOrigin:
    """ASGI middleware for sockets.

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


def refuse_malformed_origins() -> None:
    """Make daphne answer 403 to an Origin that it cannot parse. Call once, before the server takes connections.

    daphne answers such a handshake with 400 before our code is called, and has no hook for it, so its refusal is
    wrapped; `tests/processes/test_sockets.py` watches it.
    """
    refuse = WebSocketProtocol.failHandshake

    def fail_handshake(self: Any, reason: str, code: int = 400, headers: Any = None) -> None:
        refuse(self, reason, 403 if "Origin header" in reason else code, headers)

    WebSocketProtocol.failHandshake = fail_handshake


def is_accepted(scope: Any) -> bool:
    """True if the socket's Origin is this site, or one that it trusts."""
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
    return is_allowed(domain) and port != 0


def is_allowed(domain: str) -> bool:
    """True for a host that Django answers for; in development, without ALLOWED_HOSTS, that is this machine."""
    allowed = settings.ALLOWED_HOSTS or (THIS_MACHINE if settings.DEBUG else [])
    return bool(domain) and validate_host(domain, allowed)


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
