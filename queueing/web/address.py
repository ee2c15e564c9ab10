"""The address that a visitor comes from, for limits that a new cookie cannot reset.

Behind a proxy the address is in a header. The header counts only when the connection comes from a trusted proxy:
everybody else could write any address into it.
"""

import ipaddress
import logging
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from queueing import logs
from queueing.conf import site

logger = logging.getLogger("queueing")
_strangers = logs.Seldom(logger, 3600)

IPV6_NETWORK = 64  # bits: the smallest network that a provider gives to one household
KEY_LENGTH = 16  # hexadecimal digits: 64 bits
KNOWN_NETWORKS = 4096  # digests that a process keeps
FORWARDED_FOR = b"x-forwarded-for"  # most proxies send it, also those that were told nothing of this site


def address_of_request(request: HttpRequest) -> str:
    """The client's IP address; empty if the server knows none (a Unix socket)."""
    header = f"HTTP_{site.CLIENT_ADDRESS_HEADER.upper().replace('-', '_')}"
    return _client(request.META.get("REMOTE_ADDR") or "", request.META.get(header) or "")


def address_of_scope(scope: Any) -> str:
    """The client's IP address of an ASGI scope; empty if the server knows none."""
    name = site.CLIENT_ADDRESS_HEADER.lower().encode()
    values = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    peer = (scope.get("client") or [""])[0] or ""
    if not values and any(key == FORWARDED_FOR for key, _ in scope["headers"]):
        _tell_of_stranger(peer, FORWARDED_FOR.decode().title())
    return _client(peer, ",".join(values))


def network_key(address: str) -> str:
    """A keyed digest of the address's network: one IPv4 address, or an IPv6 network of 64 bits. Empty for no address.

    Rows and Redis keep this digest, so that neither tells who was here.
    """
    return _digest(settings.SECRET_KEY, address)


@lru_cache(KNOWN_NETWORKS)
def _digest(key: str | bytes, address: str) -> str:
    """Kept, because one request asks several times."""
    ip = _parsed(address)
    if ip is None:
        return ""
    around = ipaddress.ip_network((ip, IPV6_NETWORK if ip.version == 6 else 32), strict=False)
    return salted_hmac("queueing.web.address", str(around), secret=key, algorithm="sha256").hexdigest()[:KEY_LENGTH]


def is_proxy(peer: str) -> bool:
    """True for a proxy that TRUSTED_PROXIES names."""
    ip = _parsed(peer)
    return ip is not None and any(ip in trusted for trusted in _networks(tuple(site.TRUSTED_PROXIES)))


def _client(peer: str, forwarded: str) -> str:
    """The address in the header if the peer is a trusted proxy, else the peer's. A proxy sends exactly one address."""
    if forwarded and is_proxy(peer):
        if (ip := _parsed(forwarded.strip())) is not None:
            return str(ip)
        logger.warning("The proxy %s sent %.80r in %s", peer, forwarded, site.CLIENT_ADDRESS_HEADER)
    elif forwarded:
        _tell_of_stranger(peer, site.CLIENT_ADDRESS_HEADER)
    ip = _parsed(peer)
    return "" if ip is None else str(ip)


def _tell_of_stranger(peer: str, header: str) -> None:
    """Warn of a proxy that nobody has named. On a site without one, a visitor who writes the header causes it, too."""
    if (ip := _parsed(peer)) is not None and not is_proxy(peer):
        _strangers.warning(
            "Requests from %s come with %s, and TRUSTED_PROXIES does not name this address. If it is a proxy, all of "
            "its visitors share the limits of one.",
            ip,
            header,
        )


def network(name: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """An address or a network, as TRUSTED_PROXIES names it. Raises ValueError."""
    return ipaddress.ip_network(name, strict=False)


@lru_cache
def _networks(names: tuple[str, ...]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [network(name) for name in names]


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address; an IPv4 address inside of an IPv6 address (`::ffff:192.0.2.1`) as IPv4. None for other texts."""
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (ip.ipv4_mapped or ip) if ip.version == 6 else ip
