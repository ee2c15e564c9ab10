"""Admission: whether a visitor may join a line now, and store so much.

The form asks before it is sent: `check_policy`, `check_line`, `check_visitor`, `check_budgets`. A join asks the policy,
reserves its place (`crowding.reserve`), and `admit` asks the rest with the levers and sums of that reservation.
"""

from typing import Any

from queueing import budget, crowding, policy, slots
from queueing.exceptions import (
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
from queueing.line.levers import Levers
from queueing.line.reserving import Reservation
from queueing.models import Entry
from queueing.registry import HeavyTask
from queueing.storage import folders

# Refusals of `budget.check`: a form that was sent before has its room already.
SPENT = (StoresTooMuch, LineStoresTooMuch, SiteStoresTooMuch, LowOnDisk)


def check_line(queue: str, address: str = "") -> bool:
    """Raises LineClosed, LineFull, RedisAway, or a refusal of this address, when a join would be refused now.

    True if a new place of this address would be behind those of the others.
    """
    return crowding.is_behind(queue, address, crowding.reserve(queue, "", address))


def check_policy(user: Any, heavy_task: HeavyTask) -> None:
    """Raises NotOpen if the site's policy says that this user, or None, may not join this line."""
    if sentence := policy.refusal_of(user, heavy_task):
        raise NotOpen(sentence)


def check_visitor(entry: Entry) -> None:
    """Raises TooManyWaiting when the owner of such an entry holds as many places as allowed, or RedisAway."""
    if entry.visitor is not None:
        most = _levers(entry.queue).max_per_visitor
        slots.check(entry.visitor, entry.queue, most, slots.number_of(entry.user, most))


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


def admit(entry: Entry, size: int, reservation: Reservation) -> int:
    """The number of the visitor's slots, if nothing stands in the way of an entry whose place is reserved. One query.

    Raises TooManyWaiting, RedisAway, or as `check_budgets`.
    """
    most = reservation.levers.max_per_visitor
    number = slots.number_of(entry.user, most)
    is_shared = connection(entry.queue) is connection()  # else the sums are on another Redis
    try:
        use = budget.used(entry, budget.parse_totals(reservation.sums) if is_shared else None, number)
    except RedisError as error:
        raise RedisAway from error
    slots.check(entry.visitor, entry.queue, most, number, use.slots)
    check_budgets(entry, size, use)
    return number


def _levers(queue: str) -> Levers:
    """Raises RedisAway."""
    try:
        return levers.read(connection(queue), queue)
    except RedisError as error:
        raise RedisAway from error
