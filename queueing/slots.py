"""The places that one visitor may hold.

MAX_WAITING_PER_VISITOR limits those in all lines. Each has a number, its *slot*, and the database takes no slot twice:
so two joins at the same moment cannot both take the last place. A line's own limit counts the places in that line, and
joins of such a line are stored one after the other.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from queueing.conf import conf
from queueing.exceptions import TooManyWaiting
from queueing.models import Entry, Line


def check(visitor: uuid.UUID | None, queue: str, most: int | None, taken: int | None = None) -> None:
    """Raises TooManyWaiting when the visitor holds as many places as allowed; `most` is the line's own limit.

    `taken` is the number of slots that the visitor has taken, if it is known.
    """
    if visitor is None:
        return
    has_free = next(_free(visitor, most), None) is not None if taken is None else taken < number(most)
    if not has_free or _is_full(visitor, queue, most):
        raise TooManyWaiting


def number(most: int | None) -> int:
    """The number of slots: MAX_WAITING_PER_VISITOR, or more where the line allows more."""
    return max(conf.MAX_WAITING_PER_VISITOR, most or 0)


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


def to_try(visitor: uuid.UUID | None, most: int | None) -> Iterator[int | None]:
    """The slots that a new entry may try, each once. The first one is free for nearly everybody, so nothing is read."""
    if visitor is None:
        yield None
        return
    yield 0
    yield from _free(visitor, most)


def _free(visitor: uuid.UUID, most: int | None) -> Iterator[int]:
    """The free slots of this visitor."""
    taken = set(Entry.objects.live().filter(visitor=visitor).values_list("slot", flat=True))
    return (slot for slot in range(number(most)) if slot not in taken)


def _is_full(visitor: uuid.UUID, queue: str, most: int | None) -> bool:
    return most is not None and Entry.objects.live().filter(visitor=visitor, queue=queue).count() >= most
