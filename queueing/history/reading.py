"""Reads the memory: the spans of a line for charts and tables, and the usual runs of this hour."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Q
from django.utils import timezone

from queueing.conf import conf
from queueing.history.books import hour_of
from queueing.models import LineMinute
from queueing.models.memory import HOUR
from queueing.sketch import Sketch
from queueing.tally import Tally, total, unpacked

WEEKS = 4  # weeks whose same hour is looked at
ENOUGH = 10  # runs from which an hour is known
POINTS = 8  # durations that stand for them
HABITS_KEPT = 600.0  # seconds


class Span(NamedTuple):
    """What happened in one line from one moment on."""

    at: datetime
    tally: Tally


def spans(queue: str, first: datetime, length: timedelta, number: int) -> list[Span]:
    """So many spans of this length in a row, empty ones included. Those of a minute begin with a minute."""
    rows = LineMinute.objects.filter(line__queue=queue, at__gte=first, at__lt=first + number * length).order_by("at")
    tallies: list[list[Tally]] = [[] for _ in range(number)]
    for row in rows:
        tallies[(row.at - first) // length].append(row.tally())
    return [Span(first + place * length, total(parts)) for place, parts in enumerate(tallies)]


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
