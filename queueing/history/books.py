"""The minutes of some lines, locked for one transaction."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import transaction

from queueing.models import LineMemory, LineMinute
from queueing.tally import COLUMNS, Tally

WRITTEN = [*COLUMNS, "span", "packed"]


class Books:
    """The tallies to be added to the minutes of lines that this transaction has locked."""

    def __init__(self, memories: dict[str, LineMemory]) -> None:
        self.memories = memories  # by line
        self._added: defaultdict[tuple[str, datetime], Tally] = defaultdict(Tally)

    def of(self, queue: str, moment: datetime) -> Tally:
        """The tally that is added to the minute of that moment; to its hour, if that is rolled up already."""
        rolled_up_to = self.memories[queue].rolled_up_to
        if rolled_up_to and moment < rolled_up_to:
            return self._added[queue, hour_of(moment)]
        return self._added[queue, minute_of(moment)]

    def write(self) -> None:
        """Add the tallies to the rows, and to the totals of the lines."""
        if not self._added:
            return
        lines, moments = zip(*self._added, strict=True)
        memories = [self.memories[queue] for queue in set(lines)]
        rows = LineMinute.objects.filter(line__in=memories, at__in=set(moments))
        before = {(row.line_id, row.at): row.tally() for row in rows}
        written = []
        for (queue, at), tally in self._added.items():
            memory = self.memories[queue]
            memory.add(tally)
            summed = before.get((memory.pk, at), Tally())
            summed.add(tally)
            is_hour = memory.rolled_up_to is not None and at < memory.rolled_up_to
            written.append(LineMinute.of(memory, at, 60 if is_hour else 1, summed))
        write_rows(written)
        LineMemory.objects.bulk_update(memories, ["columns", "packed"])


@contextmanager
def locked(queues: Collection[str], *, wait: bool = False) -> Iterator[Books]:
    """A transaction with the books of these lines, written at its end.

    Lines that another process has locked are left out (see `Books.memories`), unless `wait` is given: a keeper that
    was stopped in mid-transaction must not stop the next one.
    """
    with transaction.atomic():
        books = Books(_lock(queues, wait=wait))
        yield books
        books.write()


def write_rows(rows: list[LineMinute]) -> None:
    """Insert the rows, or overwrite what is there. The caller has locked their lines."""
    LineMinute.objects.bulk_create(
        rows, batch_size=500, update_conflicts=True, unique_fields=["line", "at"], update_fields=WRITTEN
    )


def minute_of(moment: datetime) -> datetime:
    """The beginning of the minute."""
    return moment.replace(second=0, microsecond=0)


def hour_of(moment: datetime) -> datetime:
    """The beginning of the hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def _lock(queues: Collection[str], *, wait: bool) -> dict[str, LineMemory]:
    wanted = LineMemory.objects.filter(queue__in=queues)
    found = {memory.queue: memory for memory in wanted.select_for_update(skip_locked=not wait).order_by("queue")}
    if len(found) == len(set(queues)):
        return found
    # Asked before, because each refused insert would use up one of the 32,767 ids.
    known = set(wanted.values_list("queue", flat=True))
    new = [LineMemory(queue=queue) for queue in sorted(set(queues) - known)]
    if not new:
        return found
    LineMemory.objects.bulk_create(new, ignore_conflicts=True)
    return {memory.queue: memory for memory in wanted.select_for_update(skip_locked=not wait).order_by("queue")}
