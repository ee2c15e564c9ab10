"""Admission: whether a visitor may join a line now, and store so much.

The form asks before it is sent (`check_policy`, `check_line`, `check_visitor`, `check_budgets`), and a join when it is
(`admit`).
"""

from typing import Any

from queueing import budget, crowding, policy, slots
from queueing.exceptions import (
    LineClosed,
    LineStoresTooMuch,
    LowOnDisk,
    NotOpen,
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
from queueing.registry import HeavyTask
from queueing.storage import folders

# Refusals of `budget.check`: a form that was sent before has its room already.
SPENT = (StoresTooMuch, LineStoresTooMuch, SiteStoresTooMuch, LowOnDisk)


def check_line(queue: str, address: str = "") -> bool:
    """Raises LineClosed, LineFull, RedisAway, or a refusal of this address, when a join would be refused now.

    True if a new place of this address would be behind those of the others.
    """
    limits = _levers_of_open(queue)
    return crowding.is_behind(queue, address, crowding.reserve(queue, "", address, limits.max_line), limits.max_line)


def check_policy(user: Any, heavy_task: HeavyTask) -> None:
    """Raises NotOpen if the site's policy says that this user, or None, may not join this line."""
    if sentence := policy.current().refusal(user, heavy_task):
        raise NotOpen(sentence)


def check_visitor(entry: Entry) -> None:
    """Raises TooManyWaiting when the owner of such an entry holds as many places as allowed, or RedisAway."""
    if entry.visitor is not None:
        most = _levers(entry.queue).max_per_visitor
        slots.check(entry.visitor, entry.queue, most, slots.number(entry.user, most))


def check_budgets(entry: Entry, size: int, use: budget.Use | None = None) -> None:
    """Raises StorageFull, StorageAway, RedisAway, or as `budget.check`, if so many bytes more may not be stored.

    `use` is what is stored, if that is known.
    """
    if size and folders.is_away():
        raise StorageAway
    try:
        budget.check(entry, size, use)
    except RedisError as error:
        raise RedisAway from error


def admit(entry: Entry, size: int) -> tuple[Levers, int]:
    """The levers of the line that a new entry may join with so many bytes, and the number of its visitor's slots.

    Raises NotOpen, LineClosed, TooManyWaiting, RedisAway, or as `check_budgets`.
    """
    check_policy(entry.user, entry.heavy_task)
    limits, use = _look_around(entry)
    number = slots.number(entry.user, limits.max_per_visitor)
    slots.check(entry.visitor, entry.queue, limits.max_per_visitor, number, use.slots)
    check_budgets(entry, size, use)
    return limits, number


def _look_around(entry: Entry) -> tuple[Levers, budget.Use]:
    """The levers of the open line, and the use of what is stored: one query, and one round trip at one Redis.

    Raises LineClosed or RedisAway.
    """
    try:
        found, sums = levers.read_with(connection(entry.queue), entry.queue, connection(), STORED)
        limits = _if_open(found)
        return limits, budget.used(entry, budget.parse_totals(sums), slots.number(entry.user, limits.max_per_visitor))
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
