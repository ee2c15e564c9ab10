"""The recent runs and ends of a line: what the forecast knows of its run times, arrivals and leavers."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import NamedTuple
from uuid import UUID

from django.db.models import Count

from queueing import eta
from queueing.models import Entry, EntryEvent, EntryQuerySet
from queueing.states import Reason, Status

RECENT_RUNS = 100  # runs from which the expected wait is forecast
RECENT_ENDS = 100  # ended entries from which the rates of leaving, arriving and coming back are taken


class Run(NamedTuple):
    """A run of a task that has ended."""

    workers: list[str]  # the last worker is that of this run
    joined: datetime
    started: datetime
    finished: datetime


RUN_COLUMNS = ("worker_ids", "joined_at", "last_attempted_at", "finished_at")
END_COLUMNS = ("pk", "joined_at", "started_at", "finished_at", "visitor", "priority")
# A visitor who left earlier says nothing about the patience of those who wait: seconds, and a share of the usual run.
LEAST_STAY, LEAST_STAY_SHARE = 10.0, 0.5


class End(NamedTuple):
    """An entry that has ended."""

    pk: int
    joined: datetime
    started: datetime | None
    finished: datetime
    visitor: UUID | None
    priority: int


def runs(queue: str) -> list[Run]:
    """The latest runs that succeeded, latest first."""
    return [Run._make(row) for row in latest_runs(queue).values_list(*RUN_COLUMNS)]


def ends(queue: str) -> list[End]:
    """The latest ended entries, latest first."""
    return [End._make(row) for row in latest_ends(queue).values_list(*END_COLUMNS)]


def latest_ends(queue: str) -> EntryQuerySet:
    """The latest ended entries, by the index on line and end.

    Unseen entries are left out: a form sent without opening the page says nothing about the patience of visitors.
    """
    came = Entry.objects.filter(queue=queue).final().exclude(reason=Reason.UNSEEN)
    return came.order_by("-finished_at")[:RECENT_ENDS]


def latest_runs(queue: str) -> EntryQuerySet:
    """The latest runs that succeeded, by an index of their own: most entries of a line may end otherwise."""
    succeeded = Entry.objects.filter(queue=queue, status=Status.SUCCEEDED, last_attempted_at__isnull=False)
    return succeeded.order_by("-finished_at")[:RECENT_RUNS]


def busy_seconds(runs: Iterable[Run]) -> tuple[float, ...]:
    """The seconds that each run kept a worker busy: the run, and the usual turnaround after it.

    The turnaround (RQ's books, a claim, a fork) shows between two runs of a worker when the second visitor had joined
    before the first run ended. The median counts, because the second visitor may have been absent for a while.
    """
    in_order = sorted(runs, key=lambda run: (run.workers[-1:], run.started))
    gaps = [
        (following.started - run.finished).total_seconds()
        for run, following in pairwise(in_order)
        if run.workers[-1:] == following.workers[-1:] and following.joined < run.finished
    ]
    turnaround = max(0.0, median(gaps)) if gaps else 0.0
    return tuple((run.finished - run.started).total_seconds() + turnaround for run in in_order)


def leavers(ended: Iterable[End], run_seconds: Sequence[float]) -> int:
    """The visitors among these who left the line after they had waited for a while, each once.

    So a browser that joins and leaves again and again does not tell everybody that the line empties by itself.
    """
    least = min(LEAST_STAY, LEAST_STAY_SHARE * median(run_seconds)) if run_seconds else LEAST_STAY
    gone = (end for end in ended if end.started is None)
    return len({end.visitor for end in gone if (end.finished - end.joined).total_seconds() >= least})


def return_share(ended: Sequence[End]) -> float:
    """The share of the held visitors among these who came back."""
    held, back = EntryEvent.Kind.HELD, EntryEvent.Kind.BACK
    events = EntryEvent.objects.filter(entry__in=[end.pk for end in ended], kind__in=(held, back)).order_by()
    counts = dict(events.values_list("kind").annotate(Count("id")))
    return eta.return_share(min(counts.get(back, 0), counts.get(held, 0)), counts.get(held, 0))
