"""Origins that may open a socket. Their treatment by daphne is in tests/processes/test_sockets.py."""

from typing import Any

import pytest

from queueing.web.origin import is_accepted


def accepts(origin: str | None, host: str = "queue.example", **scope: Any) -> bool:
    headers = [(b"host", host.encode())] + ([(b"origin", origin.encode())] if origin is not None else [])
    return is_accepted({"headers": headers + scope.pop("more", []), "scheme": "ws"} | scope)


def test_a_socket_from_this_very_site_is_accepted(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["queue.example"]
    settings.SECURE_PROXY_SSL_HEADER = None
    assert accepts("http://queue.example")
    assert accepts("http://queue.example:8000", "queue.example:8000")
    assert accepts("https://queue.example", scheme="wss")
    assert not accepts("https://queue.example")
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert accepts("https://queue.example", more=[(b"x-forwarded-proto", b"https")])
    assert not accepts("http://queue.example", more=[(b"x-forwarded-proto", b"https")])


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "http://",
        "http://[",
        "http://x:notaport",
        "http://x:99999",
        "http://queue.example:0",
        "http://queue.example:8000",
        "http://queue.example@evil.example",
        "http://queue.example.evil.example",
        "ftp://queue.example",
        "queue.example",
        "\u00e9",
    ],
)
def test_every_other_origin_is_refused(settings: Any, origin: str | None) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    assert not accepts(origin)


def test_without_hosts_a_site_in_development_answers_for_this_machine_alone(settings: Any) -> None:
    """Django's own rule, and its settings of a new project."""
    settings.ALLOWED_HOSTS, settings.DEBUG = [], True
    assert accepts("http://127.0.0.1:8000", "127.0.0.1:8000")
    assert accepts("http://localhost:8000", "localhost:8000")
    assert not accepts("http://queue.example", "queue.example")
    settings.DEBUG = False
    assert not accepts("http://127.0.0.1:8000", "127.0.0.1:8000")


@pytest.mark.parametrize("host", ["evil.example", "", "[", "queue.example:x"])
def test_a_host_that_is_not_ours_is_refused(settings: Any, host: str) -> None:
    settings.ALLOWED_HOSTS = ["queue.example"]
    assert not accepts(f"http://{host}", host)


def test_trusted_origins_are_those_of_forms(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["queue.example"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://pages.example", "https://*.friends.example"]
    assert accepts("https://pages.example")
    assert accepts("https://a.friends.example")
    for origin in ("http://pages.example", "https://x.pages.example", "https://evilfriends.example"):
        assert not accepts(origin)
