"""A header that a proxy in front leaves out is a line in the log, and no more than one."""

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client

from queueing.logs import Seldom
from queueing.web import asgi, proxies

PROXY, VISITOR = "127.0.0.1", "192.0.2.1"


@pytest.fixture(autouse=True)
def nothing_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_without_scheme", "_without_upgrade"):
        monkeypatch.setattr(proxies, name, Seldom(proxies.logger, 3600))


@pytest.mark.parametrize(
    ("peer", "told", "lines"), [(PROXY, {}, 1), (PROXY, {"X-Forwarded-Proto": "http"}, 0), (VISITOR, {}, 0)]
)
def test_a_proxy_that_does_not_tell_https_from_http_is_told_of(
    peer: str, told: dict[str, str], lines: int, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Each page would be sent to https without end; a proxy that says http means it."""
    settings.SECURE_SSL_REDIRECT, settings.SECURE_PROXY_SSL_HEADER = True, ("HTTP_X_FORWARDED_PROTO", "https")
    settings.TRUSTED_PROXIES = [PROXY]
    for _ in range(3):
        assert Client(REMOTE_ADDR=peer).get("/", headers=told).status_code == 301
    found = [line for line in caplog.messages if "has to set X-Forwarded-Proto" in line]
    assert len(found) == lines


def test_a_socket_that_is_asked_for_as_a_page_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    asked = []

    async def page(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["path"])

    application = asgi.Below(asgi._sockets, asgi._WithoutUpgrade(page), others=page)
    paths = ["/ws/entry/x/", "/ws/entry/y/", "/elsewhere/"]
    for path in paths:
        scope = {"type": "http", "path": path, "method": "GET", "headers": [], "client": [VISITOR, 1]}
        async_to_sync(application)(scope, None, None)
    assert asked == paths
    [line] = caplog.messages
    assert line.startswith(f"A socket was asked for as a plain page, by {VISITOR}: where a proxy does not pass Upgrade")
