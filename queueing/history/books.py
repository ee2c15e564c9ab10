"""The minutes of some lines, locked for one transaction."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import transaction

from queueing.models import LineMemory, LineMinute
from queueing.tally import COLUMNS, Tally

WRITTEN = [*COLUMNS, "span", "packed"]
CHANGED = ["columns", "packed", "open_at", "open_columns", "open_packed"]


class Books:
    """The tallies to be added to the minutes of lines that this transaction has locked."""

    def __init__(self, memories: dict[str, LineMemory]) -> None:
        self.memories = memories  # by line
        self._added: defaultdict[tuple[str, datetime], Tally] = defaultdict(Tally)

    def of(self, queue: str, moment: datetime) -> Tally:
        """The tally that is added to the minute of that moment; to its hour, if that is rolled up already."""
        return self._added[queue, self._begin(queue, moment)]

    def write(self) -> None:
        """Add the tallies to the minutes, and to the totals of the lines."""
        if not self._added:
            return
        over: defaultdict[tuple[str, datetime], Tally] = defaultdict(Tally)
        for (queue, at), tally in sorted(self._added.items(), key=lambda added: added[0]):
            self.memories[queue].add(tally)
            if closed := self.memories[queue].note(at, tally):
                over[queue, self._begin(queue, closed[0])].add(closed[1])
        self._write_rows(over)
        LineMemory.objects.bulk_update({self.memories[queue] for queue, _ in self._added}, CHANGED)

    def _write_rows(self, over: dict[tuple[str, datetime], Tally]) -> None:
        """Add the tallies to the rows of minutes and hours that are over."""
        if not over:
            return
        lines, moments = zip(*over, strict=True)
        rows = LineMinute.objects.filter(line__in={self.memories[queue] for queue in lines}, at__in=set(moments))
        before = {(row.line_id, row.at): row.tally() for row in rows}
        written = []
        for (queue, at), tally in over.items():
            memory = self.memories[queue]
            tally.add(before.get((memory.pk, at), Tally()))
            written.append(LineMinute.of(memory, at, 60 if self._is_rolled_up(queue, at) else 1, tally))
        write_rows(written)

    def _begin(self, queue: str, moment: datetime) -> datetime:
        """The beginning of the minute or hour that has this moment."""
        return hour_of(moment) if self._is_rolled_up(queue, moment) else minute_of(moment)

    def _is_rolled_up(self, queue: str, moment: datetime) -> bool:
        rolled_up_to = self.memories[queue].rolled_up_to
        return rolled_up_to is not None and moment < rolled_up_to


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
