"""The address of Redis: one URL, and what each kind of client is made of by it.

    redis://user:password@host:6379/0          TCP
    rediss://user:password@host:6379/0         TLS
    unix:///run/valkey.sock?db=0               a Unix socket
    sentinel://user:password@one:26379,two:26379,three:26379/mymaster/0     the primary that these sentinels name
    sentinels://…                              the same, over TLS

User and password of `sentinel://` are those of the servers; those of the sentinels are options. No sentence about a
wrong address repeats a part of it: what stands where a host should be may be half a password.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

import redis
import redis.asyncio.connection
from redis import connection as sync

from queueing.line.sentinels import Primary, led, led_async

SCHEMES = ("redis", "rediss", "unix", "sentinel", "sentinels")
PORT_OF_SENTINELS = 26379
# Options of the connections over TLS, as redis-py names them.
OF_TLS = frozenset(
    {"ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"}
)
OF_POOL = ("max_connections",)
OF_SENTINELS = "sentinel_"  # in front of an option: it is for the connections to the sentinels
OPTIONS = OF_TLS | {f"{OF_SENTINELS}{name}" for name in OF_TLS | {"username", "password", "ssl"}}
# No sign of one part is allowed in another, so half a password is never taken for a host or a name.
FORM = re.compile(
    r"sentinels?://((?P<user>[^@/?#,\[\]]*)@)?(?P<hosts>[^@/?#]+)/(?P<service>[\w.-]+)(/(?P<database>\d{0,9}))?/?"
    r"(\?(?P<query>[^#]*))?"
)
HOST = re.compile(r"(\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[\w.-]+))(:(?P<port>\d{1,5}))?")
LARGEST_PORT = 65535
WORDS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


WRONG_PART = "A host, a port or an option in it is wrong."


class BadAddress(redis.RedisError):
    """A wrong address. The text says what is wrong in one sentence, and has no part of the address in it."""


def check(url: str) -> None:
    """Raises BadAddress."""
    if is_led(url):
        parsed = _parse(url)
        _check_options(led(_is_tls(url)), parsed.options | {"primary": parsed.primary}, is_tls=_is_tls(url))
        return
    if url.partition("://")[0] not in SCHEMES:
        raise BadAddress(f"It begins with none of {', '.join(f'{scheme}://' for scheme in SCHEMES)}.")
    try:
        found = dict(sync.parse_url(url))
    except ValueError:
        raise BadAddress(WRONG_PART) from None
    for name in sorted(found.keys() & OPTIONS - OF_TLS):
        raise BadAddress(f"Its option {name} is for sentinel:// and sentinels:// only.")
    kind = found.pop("connection_class", sync.Connection)
    _check_options(kind, found, is_tls=url.startswith("rediss://"))


def is_led(url: str) -> bool:
    """True for the address of sentinels."""
    return url.startswith(("sentinel://", "sentinels://"))


def options(url: str) -> dict[str, Any]:
    """The options of a pool of connections, with the class of the connections. Raises BadAddress."""
    if is_led(url):
        return _led_options(url) | {"connection_class": led(_is_tls(url))}
    check(url)
    return {"connection_class": sync.Connection} | dict(sync.parse_url(url))


def async_options(url: str) -> dict[str, Any]:
    """As `options`, for an event loop."""
    if is_led(url):
        return _led_options(url) | {"connection_class": led_async(_is_tls(url))}
    check(url)
    parsed = dict(redis.asyncio.connection.parse_url(url))
    return {"connection_class": redis.asyncio.connection.Connection} | parsed


def sentinels_of(url: str) -> tuple[list[tuple[str, int]], str, int]:
    """The sentinels of `sentinel://`, the name of the primary's service, and the number of the database."""
    parsed = _parse(url)
    return list(parsed.sentinels), parsed.service, parsed.database


def are_same(one: str, other: str) -> bool:
    """True if both lead to the same database of the same Redis, as the same user. Raises BadAddress."""
    return one == other or _place_of(one) == _place_of(other)


def forget() -> None:
    """Forget the addresses, with their passwords. For a process that has no business with Redis."""
    for parsed in _known:
        parsed.options.clear()
        parsed.primary.forget()
    _known.clear()
    _parse.cache_clear()


# Details


def _check_options(kind: type[sync.AbstractConnection], given: dict[str, Any], *, is_tls: bool) -> None:
    """An option that connections of this kind do not take: each connect would end in TypeError, as a page in a 500."""
    for name in sorted(given.keys() & OF_TLS) if not is_tls else ():
        raise BadAddress(f"Its option {name} needs rediss:// or sentinels://.")
    try:
        kind(**{name: value for name, value in given.items() if name not in OF_POOL})
    except (TypeError, ValueError, redis.RedisError):
        raise BadAddress(WRONG_PART) from None


class Sentinels:
    """The address of sentinels, in its parts."""

    def __init__(self, url: str) -> None:
        parts = FORM.fullmatch(url)
        if parts is None:
            raise BadAddress(
                "It must read sentinel://user:password@one:26379,two:26379,three:26379/mymaster/0, with the name that"
                " the sentinels have for the primary; a password with other signs than these has them as %XX."
            )
        self.sentinels = tuple(map(_host_and_port, parts["hosts"].split(",")))
        self.service, self.database = parts["service"], int(parts["database"] or 0)
        given = dict(_options_in(parts["query"] or ""))
        own = {name: value for name, value in given.items() if not name.startswith(OF_SENTINELS)}
        of_sentinels = {n.removeprefix(OF_SENTINELS): value for n, value in given.items() if n not in own}
        self.options: dict[str, Any] = {"db": self.database, **_user(parts["user"] or ""), **own}
        self.primary = Primary(self.service, self.sentinels, {"ssl": _is_tls(url)} | own | of_sentinels)


_known: list[Sentinels] = []


@cache
def _parse(url: str) -> Sentinels:
    """All clients of an address share what the sentinels have said."""
    parsed = Sentinels(url)
    _known.append(parsed)
    return parsed


def _led_options(url: str) -> dict[str, Any]:
    parsed = _parse(url)
    return parsed.options | {"primary": parsed.primary}


def _place_of(url: str) -> tuple[Any, ...]:
    if is_led(url):
        sentinels, service, database = sentinels_of(url)
        return sorted(sentinels), service, database, _is_tls(url)
    found = options(url)
    defaults = {"host": "localhost", "port": 6379, "path": "", "db": 0, "username": None, "password": None}
    return tuple(found.get(name, default) for name, default in defaults.items())


def _is_tls(url: str) -> bool:
    return url.startswith("sentinels://")


def _host_and_port(text: str) -> tuple[str, int]:
    parts = HOST.fullmatch(text)
    if parts is None or int(parts["port"] or 0) > LARGEST_PORT:
        raise BadAddress("A sentinel in it has no host, or no port: write one:26379,two:26379,three:26379.")
    return parts["v6"] or parts["host"], int(parts["port"] or PORT_OF_SENTINELS)


def _user(text: str) -> dict[str, str]:
    name, _, password = text.partition(":")
    return {key: unquote(value) for key, value in (("username", name), ("password", password)) if value}


def _options_in(query: str) -> Iterator[tuple[str, Any]]:
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in OPTIONS:
            raise BadAddress(f"It has an unknown option; there are {', '.join(sorted(OPTIONS))}.")
        if not name.endswith(("ssl", "ssl_check_hostname")):
            yield name, value
        elif value.lower() in WORDS:
            yield name, WORDS[value.lower()]
        else:
            raise BadAddress(f"Its option {name} must be 1 or 0.")
