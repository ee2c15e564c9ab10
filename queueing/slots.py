"""The places that one visitor may hold.

The quota of the site's policy limits those in all lines; as shipped that is MAX_WAITING_PER_VISITOR. Each has a number,
its *slot*, and the database takes no slot twice: so two joins at the same moment cannot both take the last place. A
line's own limit counts the places in that line, and joins of such a line are stored one after the other.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction

from queueing import policy
from queueing.exceptions import TooManyWaiting
from queueing.models import Entry, Line

NONE = 0  # the number of slots of an entry without a visitor


def check(visitor: uuid.UUID | None, queue: str, most: int | None, number: int, taken: int | None = None) -> None:
    """Raises TooManyWaiting when the visitor holds as many places as allowed.

    `most` is the line's own limit, `number` that of the visitor's slots, and `taken` the number of those that are
    taken, if it is known.
    """
    if visitor is None:
        return
    has_free = next(_free(visitor, number), None) is not None if taken is None else taken < number
    if not has_free or _is_full(visitor, queue, most):
        raise TooManyWaiting


def number_of(user: Any, most: int | None) -> int:
    """The number of a visitor's slots: the places that the policy gives this user, or more where the line allows more.

    Without a policy of the site that is MAX_WAITING_PER_VISITOR.
    """
    return max(policy.quota_of(user).places, most or 0)


@contextmanager
def within(entry: Entry, most: int | None) -> Iterator[None]:
    """The insert of a new entry. Raises TooManyWaiting if joins at the same moment took the last place of the line."""
    if most is None or entry.visitor is None:
        yield
        return
    with transaction.atomic():
        Line.objects.select_for_update().filter(queue=entry.queue).first()
        if _is_full(entry.visitor, entry.queue, most):
            raise TooManyWaiting
        yield


def to_try(visitor: uuid.UUID | None, number: int) -> Iterator[int | None]:
    """The slots that a new entry may try, each once. The first one is free for nearly everybody, so nothing is read."""
    if visitor is None:
        yield None
        return
    yield 0
    yield from _free(visitor, number)


def _free(visitor: uuid.UUID, number: int) -> Iterator[int]:
    """The free slots of this visitor."""
    taken = set(Entry.objects.live().filter(visitor=visitor).values_list("slot", flat=True))
    return (slot for slot in range(number) if slot not in taken)


def _is_full(visitor: uuid.UUID, queue: str, most: int | None) -> bool:
    return most is not None and Entry.objects.live().filter(visitor=visitor, queue=queue).count() >= most
