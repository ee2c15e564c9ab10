"""What scripts and horses noted in Redis (held, back, started), into the timelines of the entries."""

import uuid
from datetime import UTC, datetime
from itertools import batched
from typing import NamedTuple, cast

from queueing.line.places import Line
from queueing.models import Entry, EntryEvent, code_of

NOTES_A_ROUND = 5000  # lines of timelines written in one round
BATCH = 2000  # rows in one statement


class Note(NamedTuple):
    """One thing that happened to some entries at the same moment."""

    at: datetime
    kind: str  # a value of EntryEvent.Kind
    detail: str
    job_ids: list[str]


def write_notes(line: Line) -> int:
    """Drain the notes of a line into the timelines; returns the number of lines written."""
    notes = [parse(written) for written in _take_notes(line)]
    codes = {code for note in notes for job_id in note.job_ids if (code := code_of(job_id))}
    known: dict[uuid.UUID, int] = {}
    for batch in batched(codes, BATCH):
        known.update(Entry.objects.filter(code__in=batch).values_list("code", "pk"))
    events = [
        EntryEvent(entry_id=pk, at=note.at, kind=note.kind, detail=note.detail)
        for note in notes
        for job_id in note.job_ids
        if (code := code_of(job_id)) and (pk := known.get(code))
    ]
    EntryEvent.objects.bulk_create(events, batch_size=BATCH)
    return len(events)


def parse(written: bytes) -> Note:
    """A note as the scripts write it: "<ms>:<kind>:<detail>:<id> <id> ..."."""
    ms, kind, rest = written.decode().split(":", 2)
    detail, _, job_ids = rest.rpartition(":")
    return Note(datetime.fromtimestamp(int(ms) / 1000, UTC), kind, detail[:200], job_ids.split())


def _take_notes(line: Line) -> list[bytes]:
    """Up to NOTES_A_ROUND lines of timelines. One note may be about a whole window of entries."""
    taken: list[bytes] = []
    while sum(note.count(b" ") + 1 for note in taken) < NOTES_A_ROUND:
        notes = cast("list[bytes] | None", line.client.lpop(line.keys.notes, 100))
        if not notes:
            break
        taken += notes
    return taken
