"""Old minutes become hours, and old hours go."""

import time
from collections import defaultdict
from datetime import datetime, timedelta

from queueing import site_time
from queueing.conf import conf
from queueing.history import marks
from queueing.history.books import Books, hour_of, locked, write_rows
from queueing.models import LineMemory, LineMinute
from queueing.tally import Tally

MINUTES_KEPT = timedelta(days=7)
BATCH = 24 * 60  # minutes that become hours in one transaction


def roll_up(until: float) -> bool:
    """Roll up minutes older than a week, and delete what is older than HISTORY_TTL: once an hour for each line.

    False: the time was used up, by the monotonic clock.
    """
    now = site_time.now()
    to, oldest = hour_of(now - MINUTES_KEPT), now - timedelta(seconds=conf.HISTORY_TTL)
    due = LineMemory.objects.exclude(rolled_up_to__gte=to).order_by("queue")
    for queue in due.values_list("queue", flat=True):
        LineMinute.objects.filter(line__queue=queue, at__lt=oldest).delete()
        marks.forget(queue, oldest)
        while not _roll_up_line(queue, to):
            if time.monotonic() >= until:
                return False
    return True


def _roll_up_line(queue: str, to: datetime) -> bool:
    """Roll up some minutes of a line. True: it has none before this time any more, or another keeper is at it."""
    with locked([queue]) as books:
        return queue not in books.memories or _roll_up_locked(books, queue, to)


def _roll_up_locked(books: Books, queue: str, to: datetime) -> bool:
    memory = books.memories[queue]
    if memory.rolled_up_to and memory.rolled_up_to >= to:
        return True
    minutes = LineMinute.objects.filter(line=memory, span=1, at__lt=to).order_by("at")
    rows = list(minutes[:BATCH])
    is_last = len(rows) < BATCH
    if not is_last:
        to = hour_of(rows[-1].at)  # the last hour may not be whole
    hours: defaultdict[datetime, Tally] = defaultdict(Tally)
    for row in rows:
        if row.at < to:
            hours[hour_of(row.at)].add(row.tally())
    minutes.filter(at__lt=to).order_by().delete()
    write_rows([LineMinute.of(memory, at, 60, tally) for at, tally in hours.items()])
    LineMemory.objects.filter(pk=memory.pk).update(rolled_up_to=to)
    return is_last
