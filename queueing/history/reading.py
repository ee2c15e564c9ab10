"""Reads the memory: the spans of a line for charts and tables, and the usual runs of this hour."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from queueing import site_time
from queueing.conf import conf
from queueing.history.books import hour_of
from queueing.models import LineMemory, LineMinute
from queueing.models.memory import HOUR, MINUTE
from queueing.sketch import Sketch
from queueing.tally import COLUMNS, Tally, details_of, total, unpacked

WEEKS = 4  # weeks whose same hour is looked at
ENOUGH = 10  # runs from which an hour is known
POINTS = 8  # durations that stand for them
HABITS_KEPT = 600.0  # seconds


class Span(NamedTuple):
    """The events of one line from one moment on."""

    at: datetime
    tally: Tally


def spans(queue: str, first: datetime, length: timedelta, number: int) -> list[Span]:
    """So many spans of this length in a row, empty ones included. Those of a minute begin with a minute."""
    tallies: list[list[Tally]] = [[] for _ in range(number)]
    for at, tally in _read(queue, first, first + number * length):
        tallies[(at - first) // length].append(tally)
    return [Span(first + place * length, total(parts)) for place, parts in enumerate(tallies)]


def _read(queue: str, first: datetime, end: datetime) -> list[tuple[datetime, Tally]]:
    """The minutes and hours that begin between these moments, with the open one."""
    memory = LineMemory.objects.filter(queue=queue).first()
    if memory is None:
        return []
    while True:
        rows = LineMinute.objects.filter(line=memory, at__gte=first, at__lt=end).values_list("at", "packed", *COLUMNS)
        found = [
            (at, unpacked(dict(zip(COLUMNS, columns, strict=True)), bytes(packed))) for at, packed, *columns in rows
        ]
        opened = memory.open_at
        memory.refresh_from_db()
        if memory.open_at == opened:  # else the open minute went into a row meanwhile
            is_asked = opened is not None and first <= opened < end
            return [*found, (opened, memory.open_tally())] if opened and is_asked else found


def totals() -> dict[str, Tally]:
    """All that ever happened in each line, for counters that only grow."""
    return {memory.queue: memory.tally() for memory in LineMemory.objects.order_by("queue")}


class Hour(NamedTuple):
    """An hour of a line, or of several."""

    tally: Tally  # without durations
    present: list[int | None]  # at the end of each minute, oldest first; None: not known


class Trend(NamedTuple):
    """The last hour of a line, and the hour before."""

    last: Hour
    before: Hour


def trends(end: datetime) -> dict[str, Trend]:
    """The two hours of each line before this minute, in two queries. Of 50 lines they take a tenth of a second."""
    first = end - 2 * HOUR
    found = {queue: Trend(_empty_hour(), _empty_hour()) for queue in settings.QUEUEING_TASKS}
    # The open minutes come first: one that goes into a row meanwhile is read twice, and the row counts.
    opened = LineMemory.objects.filter(open_at__gte=first, open_at__lt=end, queue__in=found)
    read = {(memory.queue, memory.open_at): memory.open_tally() for memory in opened}
    rows = LineMinute.objects.filter(at__gte=first, at__lt=end, line__queue__in=found, span=1)
    for queue, at, packed, *columns in rows.values_list("line__queue", "at", "packed", *COLUMNS):
        read[queue, at] = Tally(**dict(zip(COLUMNS, columns, strict=True)), details=details_of(bytes(packed)))
    for (queue, at), tally in read.items():
        assert at is not None  # by the filter
        hour, place = divmod((at - first) // MINUTE, 60)
        kept = found[queue].last if hour else found[queue].before
        kept.tally.add(tally)
        kept.present[place] = tally.present if tally.samples else None
    return found


def _empty_hour() -> Hour:
    return Hour(Tally(), [None] * 60)


class Habits:
    """The usual times of runs, by line and hour; each is read once in a while."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, tuple[float, ...]]] = {}  # by line: the time to read anew, and the times

    def runs(self, queue: str) -> tuple[float, ...]:
        """Durations in seconds that stand for the runs that usually succeed in this hour; () if nothing is known."""
        until, known = self._known.get(queue, (0.0, ()))
        if time.monotonic() >= until:
            known = _usual_runs(queue).spread(POINTS)
            self._known[queue] = time.monotonic() + HABITS_KEPT, known
        return known


def _usual_runs(queue: str) -> Sketch:
    """The runs of this hour of the week; where they are too few, of this hour of the day; else of all hours."""
    found = Sketch()
    for hours in (_same_hours(days=7, times=WEEKS), _same_hours(days=1, times=7 * WEEKS)):
        same = Q()
        for hour in hours:
            same |= Q(at__gte=hour, at__lt=hour + HOUR)
        found = _runs(queue, same)
        if found.number >= ENOUGH:
            return found
    every = Q(at__gte=site_time.now() - timedelta(seconds=conf.HISTORY_TTL))
    return _runs(queue, every)


def _same_hours(*, days: int, times: int) -> Iterator[datetime]:
    """This hour on earlier days, by the clock on the wall, and today."""
    hour = hour_of(timezone.localtime())
    return (hour - timedelta(days=days * number) for number in range(times + 1))


def _runs(queue: str, when: Q) -> Sketch:
    packed = LineMinute.objects.filter(when, line__queue=queue, succeeded__gt=0).values_list("packed", flat=True)
    return total(unpacked({}, bytes(some)) for some in packed).runs
