"""The parts without which the site does not work: /readyz and /metrics tell whether each of them is there.

Where lines have a Redis of their own, one of these that is away, or comes back, is no part of the site: the other lines
go on, so nobody must take the web processes away. It is told for each of its lines instead (`away`).
"""

from collections.abc import Callable
from itertools import chain

from django.conf import settings

from queueing import budget, deployment, rights, serving
from queueing.line import levers
from queueing.line.clients import RedisError, connection
from queueing.line.epoch import read_epoch
from queueing.line.servers import Server, are_several, ask_each
from queueing.line.signs import is_keeper_alive, takes_writes
from queueing.line.workers import are_suspended, is_counting, is_served
from queueing.models.trouble import DATABASE_ERRORS

_is_migrated = False


def look() -> dict[str, bool]:
    """Whether each part is there.

    The database and its tables, Redis, the keeper, the places after a flush, a worker for each line, room on the disk
    and the right to write there, the static files, and sockets for the pages of this process.
    """
    checks = {
        "database": _database,
        "migrations": _migrations,
        "redis": _redis,
        "keeper": is_keeper_alive,
        "places": _places,
        "workers": _workers,
        "storage": _storage,
        "static": deployment.shows_static_files,
        "sockets": serving.has_sockets,
    }
    return {name: holds(check) for name, check in checks.items()}


def holds(check: Callable[[], bool]) -> bool:
    """The answer of a check; False if what it asks is away."""
    try:
        return check()
    except (*DATABASE_ERRORS, RedisError, OSError):
        return False


def _database() -> bool:
    """True if it answers, and lets this site write: not a replica, nor a user who may only read."""
    known = rights.look()
    return known is None or known.are_enough


def _migrations() -> bool:
    """True if the database has all tables. What has been true stays so: nobody takes migrations back under a site."""
    global _is_migrated  # noqa: PLW0603  # a process has one database
    _is_migrated = _is_migrated or not deployment.missing_migrations()
    return _is_migrated


def _storage() -> bool:
    deployment.look_at_objects()
    return budget.has_room() and not any(deployment.unwritable_folders())


def away() -> list[str]:
    """The lines whose Redis is away or takes no writes, or whose places are on their way back to it."""
    try:
        known = chain.from_iterable(ask_each(_lines_there))
    except RedisError:
        return list(settings.QUEUEING_TASKS)
    return sorted(set(settings.QUEUEING_TASKS).difference(known))


def _lines_there(server: Server) -> tuple[str, ...]:
    takes_writes(server.client)
    return server.lines if _is_whole(server) else ()


def _is_whole(server: Server) -> bool:
    """False between a flush and the moment at which the keeper has given all rows their places back."""
    return all(read_epoch(server.client, queue) for queue in server.lines)


def _redis() -> bool:
    """REDIS_URL, and the Redis of at least one line."""
    return takes_writes(connection()) and (not are_several() or any(ask_each(_takes_writes)))


def _takes_writes(server: Server) -> bool:
    return takes_writes(server.client)


def _places() -> bool:
    whole = ask_each(_is_whole)
    return any(whole) if are_several() else all(whole)


def _workers() -> bool:
    """Each line has a worker that takes its entries. A line that staff have paused needs none."""
    return all(ask_each(_has_workers))


def _has_workers(server: Server) -> bool:
    if are_several() and (is_counting(server.lines[0]) or not _is_whole(server)):
        return True  # it comes back: its workers have not given a heartbeat yet
    if are_suspended(server.lines[0]):
        return False
    return all(is_served(queue) or levers.read(server.client, queue).is_paused for queue in server.lines)
