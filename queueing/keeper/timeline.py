"""Timelines: moves the notes of scripts and horses (held, back, started) from Redis into the database."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import batched
from typing import NamedTuple, cast

from django.db.models import Count, F, Q

from queueing.line.places import Line
from queueing.line.tampering import reports, shorten
from queueing.models import Entry, EntryEvent, code_of
from queueing.models.trouble import DATABASE_ERRORS

NOTES_A_ROUND = 5000  # lines of timelines written in one round
BATCH = 2000  # rows in one statement
MOST_LINES = 60  # in the timeline of one entry, about comings and goings; and as many about all else
# The kinds of lines that a visitor can make as many of as he likes.
COMINGS = frozenset({EntryEvent.Kind.HELD, EntryEvent.Kind.BACK})


@dataclass(slots=True)
class _Row:
    """A row whose timeline is written."""

    pk: int
    comings: int  # lines in its timeline about comings and goings
    others: int  # the other lines
    more: int = 0  # comings and goings that have no line of their own


class Note(NamedTuple):
    """One thing that happened to some entries at the same moment."""

    at: datetime
    kind: str  # a value of EntryEvent.Kind
    detail: str
    job_ids: list[str]


def write_notes(line: Line) -> int:
    """Drain the notes of a line into the timelines; returns the number of lines written.

    A visitor can go and come back without end, so the last line about that is counted up once there are MOST_LINES.
    """
    taken = _take_notes(line)
    try:
        return _write(note for written in taken if (note := parse(written)))
    except DATABASE_ERRORS:
        if taken:
            line.client.lpush(line.keys.notes, *reversed(taken))  # for the next round
        raise


def _write(parsed: Iterable[Note]) -> int:
    notes = list(parsed)
    rows = _rows_of({code for note in notes for job_id in note.job_ids if (code := code_of(job_id))})
    events = [event for note in notes for job_id in note.job_ids if (event := _take_line(note, rows.get(job_id)))]
    EntryEvent.objects.bulk_create(events, batch_size=BATCH)
    for row in rows.values():
        if row.more:
            _count_up(row)
    return len(events)


def _rows_of(codes: set[uuid.UUID]) -> dict[str, _Row]:
    """The rows of these codes that still exist, by job id."""
    found: dict[str, _Row] = {}
    for batch in batched(codes, BATCH):
        comings = Count("events", filter=Q(events__kind__in=COMINGS))
        rows = Entry.objects.filter(code__in=batch).annotate(comings=comings, lines=Count("events"))
        for code, pk, some, lines in rows.values_list("code", "pk", "comings", "lines"):
            found[code.hex] = _Row(pk, some, lines - some)
    return found


def _take_line(note: Note, row: _Row | None) -> EntryEvent | None:
    """Take a line of the row's timeline for this note. None: the row is gone, or its timeline is full."""
    if row is None:
        return None
    if note.kind in COMINGS:
        row.comings += 1
        row.more += row.comings > MOST_LINES
        has_room = row.comings <= MOST_LINES
    else:
        row.others += 1
        has_room = row.others <= MOST_LINES
    if not has_room:
        return None
    return EntryEvent(entry_id=row.pk, at=note.at, kind=note.kind, detail=note.detail)


def _count_up(row: _Row) -> None:
    """The last line about comings and goings stands for those that have none."""
    last = EntryEvent.objects.filter(entry_id=row.pk, kind__in=COMINGS).order_by("-id").values_list("pk", flat=True)[:1]
    EntryEvent.objects.filter(pk__in=list(last)).update(times=F("times") + row.more)


def parse(written: bytes) -> Note | None:
    """A note as the scripts write it: "<ms>:<kind>:<detail>:<id> <id> ...". None for what they never write."""
    try:
        ms, kind, rest = written.decode().split(":", 2)
        detail, _, job_ids = rest.rpartition(":")
        at = datetime.fromtimestamp(int(ms) / 1000, UTC)
        return Note(at, EntryEvent.Kind(kind), detail.replace("\0", "")[:200], job_ids.split())
    except (ValueError, OverflowError, OSError):
        reports.add("the note %s is none of a timeline", shorten(written))
        return None


def _take_notes(line: Line) -> list[bytes]:
    """Up to NOTES_A_ROUND lines of timelines. One note may be about a whole window of entries."""
    taken: list[bytes] = []
    while sum(note.count(b" ") + 1 for note in taken) < NOTES_A_ROUND:
        notes = cast("list[bytes] | None", line.client.lpop(line.keys.notes, 100))
        if not notes:
            break
        taken += notes
    return taken
