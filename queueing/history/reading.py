"""Reads the memory: the spans of a line for charts and tables, and the usual runs of this hour."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from queueing.conf import conf
from queueing.history.books import hour_of, minute_of
from queueing.models import LineMemory, LineMinute
from queueing.models.memory import HOUR, MINUTE
from queueing.sketch import Sketch
from queueing.tally import COLUMNS, Tally, total, unpacked

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


class Trend(NamedTuple):
    """The last minutes of a line, oldest first, without the one that goes on."""

    joined: list[int]
    served: list[int]
    present: list[int | None]  # None: not known


def trends(minutes: int = 60, now: datetime | None = None) -> dict[str, Trend]:
    """The last minutes of all lines in two queries; only columns are read, so 50 lines take some milliseconds."""
    end = minute_of(now or timezone.now())
    found = {queue: Trend([0] * minutes, [0] * minutes, [None] * minutes) for queue in settings.QUEUEING_TASKS}
    rows = LineMinute.objects.filter(at__gte=end - minutes * MINUTE, at__lt=end, line__queue__in=found, span=1)
    columns = rows.values_list("line__queue", "at", "joined", "succeeded", "present", "samples")
    opened = LineMemory.objects.filter(open_at__gte=end - minutes * MINUTE, open_at__lt=end, queue__in=found)
    still_open = [
        (memory.queue, memory.open_at, tally.joined, tally.succeeded, tally.present, tally.samples)
        for memory in opened
        if memory.open_at and (tally := memory.open_tally())
    ]
    for queue, at, joined, served, present, samples in [*still_open, *columns]:  # a row is later, if it has both
        place = minutes - (end - at) // MINUTE
        trend = found[queue]
        trend.joined[place], trend.served[place] = joined, served
        trend.present[place] = present if samples else None
    return found


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
    every = Q(at__gte=timezone.now() - timedelta(seconds=conf.HISTORY_TTL))
    return _runs(queue, every)


def _same_hours(*, days: int, times: int) -> Iterator[datetime]:
    """This hour on earlier days, by the clock on the wall, and today."""
    hour = hour_of(timezone.localtime())
    return (hour - timedelta(days=days * number) for number in range(times + 1))


def _runs(queue: str, when: Q) -> Sketch:
    packed = LineMinute.objects.filter(when, line__queue=queue, succeeded__gt=0).values_list("packed", flat=True)
    return total(unpacked({}, bytes(some)) for some in packed).runs
