"""The servers of the lines. Each line may have a Redis of its own, see `clients.py`.

A server that is away keeps the lines of the others from nothing: it is asked for itself, and left out.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import redis
from django.conf import settings

from queueing.line.clients import connection, own_address


class Server(NamedTuple):
    """One Redis, with the lines that it has."""

    client: redis.Redis
    lines: tuple[str, ...]


def servers(queues: Iterable[str] | None = None) -> list[Server]:
    """The servers of these lines, or of all, in the order of the lines."""
    lines: dict[str, list[str]] = {}
    for queue in settings.QUEUEING_TASKS if queues is None else queues:
        lines.setdefault(own_address(queue), []).append(queue)
    return [Server(connection(names[0]), tuple(names)) for names in lines.values()]


def every_server() -> list[Server]:
    """The servers of the lines, and that of REDIS_URL, which may have none."""
    found = servers()
    if all(server.client is not connection() for server in found):
        found.append(Server(connection(), ()))
    return found


def are_several() -> bool:
    """True if there is more than one server, so that one of them may be away alone."""
    return len(every_server()) > 1


def ask_each[T](ask: Callable[[Server], T], queues: Iterable[str] | None = None) -> list[T]:
    """The answers of the servers of these lines that answer. Raises RedisError if none does."""
    answers, failed = list[T](), None
    for server in servers(queues):
        try:
            answers.append(ask(server))
        except redis.RedisError as error:
            failed = error
    if failed is not None and not answers:
        raise failed
    return answers
