"""Counts entries into the minutes of their lines, and deletes those that are counted.

Each event counts in the minute of its own time: of the join, the first start, the end. Goodput or waste counts in the
minute in which it is decided: at the end, at the owner's first look at the result, or when the row is deleted unseen.
"""

import time
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import QuerySet

from queueing import goodput, site_time
from queueing.goodput import GOODPUT, NOT_SEEN_YET, Waste
from queueing.history.books import Books, locked
from queueing.models import Counted, Entry
from queueing.states import Reason, Status
from queueing.tally import WASTE, Tally

BATCH = 500  # entries in one transaction
MICROSECOND = timedelta(microseconds=1)


class Row(NamedTuple):
    """The columns of an entry that count."""

    pk: int
    queue: str
    status: str
    reason: str
    attempt: int
    retries: int
    counted: int
    joined_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    end_seen_at: datetime | None
    run_time: timedelta | None
    lost_time: timedelta | None
    share: str  # see `goodput.shares`; empty for a live entry


def count(until: float) -> int:
    """Count what has happened to entries since the last time; returns how many entries that were.

    Stops after the batch in which the monotonic clock reaches `until`.
    """
    total = 0
    while queues := set(Entry.objects.not_counted().order_by().values_list("queue", flat=True).distinct()):
        with locked(queues) as books:
            due = Entry.objects.not_counted().filter(queue__in=books.memories)
            # A row that another transaction has locked is counted the next time. Without the lock of the key, lines for
            # its timeline can be inserted meanwhile.
            rows = _read(due.select_for_update(skip_locked=True, no_key=True, of=("self",))[:BATCH])
            _mark((row, _count_row(books, row)) for row in rows)
        total += len(rows)
        if len(rows) < BATCH or time.monotonic() >= until:
            break
    return total


def delete(pks: Collection[int], *, wait: bool = False) -> set[int]:
    """Delete ended entries, with the rest of them counted in the same transaction; returns which were there.

    Results that were not seen are waste from now on. Entries of a line that another process counts at this moment are
    left, unless `wait` is given.
    """
    entries = Entry.objects.final().filter(pk__in=pks)
    queues = set(entries.values_list("queue", flat=True))
    with locked(queues, wait=wait) as books:
        # Locked before it is read: an owner who looks at the result now is either noted, or too late.
        ours = entries.filter(queue__in=books.memories)
        rows, now = _read(ours.select_for_update(of=("self",))), site_time.now()
        for row in rows:
            _count_row(books, row, deleted_at=now)
        deleted = {row.pk for row in rows}
        Entry.objects.filter(pk__in=deleted).delete()
    return deleted


def undo_start(entry: Entry) -> bool:
    """`Entry.undo_start`, and out of its minute if it was counted."""
    # The line is locked first, as everywhere; and nobody counts the start between the two.
    with locked([entry.queue], wait=True) as books:
        started = entry.started_at
        moved = entry.undo_start()
        if moved and started and entry.started_at is None:
            counted = Entry.objects.filter(pk=entry.pk, counted=Counted.START)
            if counted.update(counted=Counted.JOIN):
                tally = books.of(entry.queue, started)
                tally.started -= 1
                tally.details["undone"] += 1
                _note_wait(tally, entry.joined_at, started, -1)
    return moved


def _read(entries: QuerySet[Entry]) -> list[Row]:
    rows = entries.annotate(share=goodput.share()).values_list(*Row._fields)
    return [Row._make(row) for row in rows]


def _count_row(books: Books, row: Row, *, deleted_at: datetime | None = None) -> Counted:
    """Add to the minutes what is not in them yet; returns how far the row is counted then."""
    if row.counted < Counted.JOIN:
        books.of(row.queue, row.joined_at).joined += 1
    if row.counted < Counted.START and row.started_at:
        tally = books.of(row.queue, row.started_at)
        tally.started += 1
        _note_wait(tally, row.joined_at, row.started_at)
    if row.finished_at is None:
        return Counted.START if row.started_at else Counted.JOIN
    if row.counted < Counted.END:
        _count_end(books, row, row.finished_at)
    if row.counted == Counted.WORTH or (row.share == NOT_SEEN_YET and deleted_at is None):
        return Counted(max(row.counted, Counted.END))
    _count_worth(books, row, deleted_at)
    return Counted.WORTH


def _count_end(books: Books, row: Row, at: datetime) -> None:
    tally = books.of(row.queue, at)
    if row.status == Status.SUCCEEDED:
        tally.succeeded += 1
        if row.run_time is not None:
            tally.runs.note(row.run_time.total_seconds())
            tally.details["ran"] += row.run_time // MICROSECOND
    elif row.status == Status.FAILED:
        tally.failed += 1
    else:
        tally.gone += 1
    if row.reason:
        tally.details[row.reason] += 1
    tally.details["passed_over"] += row.attempt == 0 and row.reason != Reason.UNSEEN
    # An attempt that ended with its worker left the row waiting, or orphaned. One after which the task was tried again
    # ended by itself.
    ended_by_itself = row.retries + (row.run_time is not None and row.reason != Reason.ORPHANED)
    tally.details["lost_attempts"] += max(0, row.attempt - ended_by_itself)
    if row.lost_time:
        tally.details[WASTE + Waste.FAILED.value] += row.lost_time // MICROSECOND


def _count_worth(books: Books, row: Row, deleted_at: datetime | None) -> None:
    """Add the last attempt to goodput or waste."""
    at, share = row.finished_at, row.share
    if share == GOODPUT:
        at = row.end_seen_at or at
    elif share == NOT_SEEN_YET:
        at, share = deleted_at, Waste.NEVER_SEEN.value
    assert at is not None
    if row.run_time:
        name = GOODPUT if share == GOODPUT else WASTE + share
        books.of(row.queue, at).details[name] += row.run_time // MICROSECOND


def _mark(counted: Iterable[tuple[Row, Counted]]) -> None:
    """Write down how far the rows are counted."""
    by_stage: dict[Counted, list[int]] = {}
    for row, stage in counted:
        by_stage.setdefault(stage, []).append(row.pk)
    for stage, pks in by_stage.items():
        Entry.objects.filter(pk__in=pks).update(counted=stage)


def _note_wait(tally: Tally, joined: datetime, started: datetime, times: int = 1) -> None:
    """Add a wait. It is not below zero, because the clocks of two hosts may differ."""
    wait = max(started - joined, timedelta())
    tally.waits.note(wait.total_seconds(), times)
    tally.details["waited"] += wait // MICROSECOND * times
