"""The access matrix: the answer of every URL to every kind of client.

A row is a URL, a method, and one status for each kind of client. Every URL of the resolver stands here. A new one
without a row fails the tests.
"""

from collections.abc import Iterator
from typing import NamedTuple

from django.urls import URLPattern, URLResolver, get_resolver

# owner      the browser that made the entry
# other      a browser that made another entry
# anonymous  a browser without a session
# staff      may log in to the admin, and nothing else
# view       staff with the permission to see entries
# change     staff with the permission to change entries, and not to see them
# both       staff with both permissions
# member     has both permissions, and is no staff
# root       a superuser
CLIENTS = ("owner", "other", "anonymous", "staff", "view", "change", "both", "member", "root")

TABLE = """
""                                                GET   200 200 200 200 200 200 200 200 200
""                                                POST  405 405 405 405 405 405 405 405 405
"""


class Row(NamedTuple):
    """The answers of one URL to one method."""

    route: str
    method: str
    statuses: dict[str, int]


def rows() -> list[Row]:
    """The rows of the table."""
    found = []
    for line in TABLE.strip().splitlines():
        route, method, *statuses = line.split()
        found.append(Row(route.strip('"'), method, dict(zip(CLIENTS, map(int, statuses), strict=True))))
    return found


def routes() -> list[str]:
    """The patterns of all URLs of the site."""
    return list(_routes(get_resolver().url_patterns, ""))


def _routes(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, prefix + str(pattern.pattern))
        else:
            yield prefix + str(pattern.pattern)
