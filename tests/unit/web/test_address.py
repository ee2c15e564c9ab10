"""The client's address: from the connection, or from the header of a trusted proxy."""

from typing import Any

import pytest
from django.test import RequestFactory

from queueing import logs
from queueing.web import address
from queueing.web.address import address_of_request, address_of_scope, network_key

PROXY = "10.0.0.2"


@pytest.fixture(autouse=True)
def _proxies(settings: Any) -> None:
    settings.TRUSTED_PROXIES = [PROXY, "172.16.0.0/12", "fd00::/8"]


@pytest.fixture(autouse=True)
def _untold(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process: nothing was warned of yet."""
    monkeypatch.setattr(address, "_strangers", logs.Seldom(address.logger, 3600))


@pytest.mark.parametrize(
    ("peer", "header", "address"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # a visitor who writes the header
        (PROXY, "198.51.100.7", "198.51.100.7"),
        ("172.20.1.9", " 198.51.100.7 ", "198.51.100.7"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.2", "198.51.100.7", "198.51.100.7"),  # a socket that listens on both versions
        (PROXY, "198.51.100.7, 192.0.2.1", PROXY),  # a proxy that appends instead of overwriting
        (PROXY, "unknown", PROXY),
        (PROXY, "", PROXY),
        ("", "198.51.100.7", ""),  # a Unix socket
        ("testserver", "", ""),
    ],
)
def test_the_header_counts_only_from_a_trusted_proxy(peer: str, header: str, address: str) -> None:
    headers = {"X-Real-IP": header} if header else {}
    request = RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer)
    scope = {"client": [peer, 1] if peer else None, "headers": [(b"x-real-ip", header.encode())] if header else []}
    assert address_of_request(request) == address
    assert address_of_scope(scope) == address


def test_the_name_of_the_header_is_a_setting(settings: Any) -> None:
    settings.CLIENT_ADDRESS_HEADER = "CF-Connecting-IP"
    request = RequestFactory().get("/", headers={"CF-Connecting-IP": "192.0.2.1"}, REMOTE_ADDR=PROXY)
    assert address_of_request(request) == "192.0.2.1"


def test_two_headers_in_one_request_are_none() -> None:
    scope = {"client": [PROXY, 1], "headers": [(b"x-real-ip", b"192.0.2.1"), (b"x-real-ip", b"192.0.2.2")]}
    assert address_of_scope(scope) == PROXY


@pytest.mark.parametrize("header", ["X-Real-IP", "X-Forwarded-For"])
def test_a_proxy_that_nobody_has_named_is_told_once(header: str, caplog: pytest.LogCaptureFixture) -> None:
    forwarded = [(header.lower().encode(), b"198.51.100.7")]
    for _ in range(40):
        assert address_of_scope({"client": ["127.0.0.1", 1], "headers": forwarded}) == "127.0.0.1"
    [line] = caplog.messages
    assert line.startswith(f"Requests from 127.0.0.1 come with {header}, and")


@pytest.mark.parametrize(
    ("peer", "header"),
    [(PROXY, b"x-real-ip"), (PROXY, b"x-forwarded-for"), ("192.0.2.1", b"accept"), ("", b"x-real-ip")],
)
def test_a_named_proxy_and_a_plain_visitor_are_not_told(
    peer: str, header: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    address_of_scope({"client": [peer, 1], "headers": [(header, b"198.51.100.7")]})
    assert not caplog.messages


def test_a_key_names_a_network_and_tells_no_address() -> None:
    assert network_key("192.0.2.1") != network_key("192.0.2.2")
    assert network_key("2001:db8:1:2::1") == network_key("2001:db8:1:2:ffff::9")
    assert network_key("2001:db8:1:2::1") != network_key("2001:db8:1:3::1")
    assert network_key("::ffff:192.0.2.1") == network_key("192.0.2.1")
    assert network_key("") == ""
    assert len(network_key("192.0.2.1")) == 16


def test_a_digest_is_made_once_for_each_key_of_the_site(settings: Any) -> None:
    address._digest.cache_clear()
    first = network_key("198.51.100.77")
    assert network_key("198.51.100.77") == first
    assert address._digest.cache_info().misses == 1
    settings.SECRET_KEY = "another key of this site"
    assert network_key("198.51.100.77") != first
