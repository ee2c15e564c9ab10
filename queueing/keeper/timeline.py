"""Timelines: moves the notes of scripts and horses (held, back, started) from Redis into the database."""

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import batched
from typing import NamedTuple, cast

from django.db.models import Count, F, Q

from queueing.history.books import Books, locked
from queueing.line.places import Line
from queueing.line.tampering import reports, shorten
from queueing.models import Entry, EntryEvent, LineMemory, code_of
from queueing.signals import entry_held, entry_returned

NOTES_A_ROUND = 5000  # lines of timelines written in one round
BATCH = 2000  # rows in one statement
MOST_LINES = 60  # in the timeline of one entry, about comings and goings; and as many about all else
# The kinds of lines whose number the visitor decides.
COMINGS = frozenset({EntryEvent.Kind.HELD, EntryEvent.Kind.BACK})
# Their names in a Tally.
COUNTED = {EntryEvent.Kind.HELD.value: "holds", EntryEvent.Kind.BACK.value: "returns"}

TOLD = {EntryEvent.Kind.HELD.value: entry_held, EntryEvent.Kind.BACK.value: entry_returned}


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
    """Write the notes of a line into the timelines, and count its holds and returns; returns the number of lines.

    A visitor can go and come back without end, so the last line about that is counted up once there are MOST_LINES.

    Each note is written once, whatever dies:

    1. The line is locked, so that another keeper waits for its turn.
    2. Notes are read and stay in Redis. They are written, with the last one's digest, in one transaction.
    3. The next round finds that note, and deletes the notes up to it. If that round dies, the one after finds the note
       again, or finds that it is gone.
    """
    if not line.client.llen(line.keys.notes):
        return 0
    with locked([line.name]) as books:
        memory = books.memories.get(line.name)
        if memory is None:
            return 0
        taken = _take_notes(line)
        if written := _written_before(memory, taken):
            line.client.ltrim(line.keys.notes, written, -1)
        taken = taken[written:]
        if not taken:
            return 0
        LineMemory.objects.filter(pk=memory.pk).update(notes_written=len(taken), last_note=_digest(taken[-1]))
        notes = [note for written_note in taken if (note := parse(written_note))]
        lines = _write(books, line.name, notes)
    _tell(line.name, notes)
    return lines


def _tell(queue: str, notes: Iterable[Note]) -> None:
    """Send the signals of holds and returns, which are stored by now."""
    for note in notes:
        if (signal := TOLD.get(note.kind)) and signal.has_listeners():
            codes = [code for job_id in note.job_ids if (code := code_of(job_id))]
            signal.send_robust(queue, codes=codes, at=note.at)


def _written_before(memory: LineMemory, notes: Sequence[bytes]) -> int:
    """The number of these notes that are in the timelines already."""
    digests = [_digest(note) for note in notes[: memory.notes_written]]
    return len(digests) - digests[::-1].index(memory.last_note) if memory.last_note in digests else 0


def _digest(note: bytes) -> str:
    return hashlib.sha256(note).hexdigest()


def _write(books: Books, queue: str, notes: Sequence[Note]) -> int:
    rows = _rows_of({code for note in notes for job_id in note.job_ids if (code := code_of(job_id))})
    events = [event for note in notes for job_id in note.job_ids if (event := _take_line(note, rows.get(job_id)))]
    EntryEvent.objects.bulk_create(events, batch_size=BATCH)
    for row in rows.values():
        if row.more:
            _count_up(row)
    for note in notes:
        if name := COUNTED.get(note.kind):
            books.of(queue, note.at).details[name] += sum(job_id in rows for job_id in note.job_ids)
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
    """The first notes, up to NOTES_A_ROUND lines of timelines. One note may be about a whole window of entries."""
    taken: list[bytes] = []
    while sum(note.count(b" ") + 1 for note in taken) < NOTES_A_ROUND:
        first = len(taken)
        notes = cast("list[bytes]", line.client.lrange(line.keys.notes, first, first + 99))
        taken += notes
        if len(notes) < 100:
            break
    return taken
