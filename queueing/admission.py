"""Admission: whether a visitor may join a line now, and store so much.

The form asks before it is sent (`check_line`, `check_visitor`, `check_storage`), and a join when it is.
"""

import uuid

from queueing import budget, crowding, slots
from queueing.exceptions import (
    LineClosed,
    LineStoresTooMuch,
    LowOnDisk,
    RedisAway,
    SiteStoresTooMuch,
    StorageAway,
    StoresTooMuch,
)
from queueing.line import levers
from queueing.line.clients import RedisError, connection
from queueing.line.keys import STORED
from queueing.line.levers import Levers
from queueing.models import Entry
from queueing.storage import folders

# Refusals of `budget.check`: a form that was sent before has its room already.
SPENT = (StoresTooMuch, LineStoresTooMuch, SiteStoresTooMuch, LowOnDisk)


def check_line(queue: str, address: str = "") -> bool:
    """Raises LineClosed, LineFull, RedisAway, or a refusal of this address, when a join would be refused now.

    True if a new place of this address would be behind those of the others.
    """
    limits = _levers_of_open(queue)
    return crowding.is_behind(queue, address, crowding.reserve(queue, "", address, limits.max_line), limits.max_line)


def check_visitor(visitor: uuid.UUID | None, queue: str) -> None:
    """Raises TooManyWaiting when the visitor holds as many places as this line allows, or RedisAway."""
    if visitor is not None:
        slots.check(visitor, queue, _levers(queue).max_per_visitor)


def check_storage(queue: str, visitor: uuid.UUID | None, address: str, size: int) -> None:
    """Raises StorageFull, StorageAway, RedisAway, or as `budget.check`, if so many bytes more may not be stored."""
    check_budgets(Entry(queue=queue, visitor=visitor, address=address), size)


def check_budgets(entry: Entry, size: int, use: budget.Use | None = None) -> None:
    """Raises as `check_storage`. `use` is what is stored, if that is known."""
    if size and folders.is_away():
        raise StorageAway
    try:
        budget.check(entry, size, use)
    except RedisError as error:
        raise RedisAway from error


def look_around(entry: Entry) -> tuple[Levers, budget.Use]:
    """The levers of the open line, and the use of what is stored: one query, and one round trip at one Redis.

    Raises LineClosed or RedisAway.
    """
    try:
        found, sums = levers.read_with(connection(entry.queue), entry.queue, connection(), STORED)
        limits = _if_open(found)
        return limits, budget.used(entry, budget.parse_totals(sums), slots.number(limits.max_per_visitor))
    except RedisError as error:
        raise RedisAway from error


def _levers(queue: str) -> Levers:
    """Raises RedisAway."""
    try:
        return levers.read(connection(queue), queue)
    except RedisError as error:
        raise RedisAway from error


def _levers_of_open(queue: str) -> Levers:
    """The levers of a line that takes visitors in. Raises LineClosed or RedisAway."""
    return _if_open(_levers(queue))


def _if_open(found: Levers) -> Levers:
    if found.is_closed:
        raise LineClosed(found.sentence, opens_at=found.opens_at)
    return found
