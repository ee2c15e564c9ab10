"""Rows against places: a row that waits without a place gets it back, a place whose row does not wait goes."""

import logging
import time
import uuid
from collections.abc import Collection, Sequence
from itertools import batched
from typing import cast

from django.db.models import BigIntegerField, Max
from django.db.models.functions import Coalesce

from queueing.history import marks
from queueing.keeper.steering import count_running
from queueing.line import epoch
from queueing.line.jobs import is_entry_job
from queueing.line.places import Line
from queueing.line.scripts import Ranked
from queueing.line.servers import Server
from queueing.logs import about_line
from queueing.models import Entry, EntryEvent, EntryQuerySet, code_of
from queueing.states import Status

logger = logging.getLogger("queueing")

WINDOW = 200  # rows that get their place back in one call of the script; it blocks everybody for about 1 ms
BATCH = 2000  # ids in one query
# Seconds between two comparisons while rows and places disagree in number, and while they agree.
RECONCILE_INTERVAL, CALM_INTERVAL = 2.0, 60.0
# Seconds after a flush before places come back: by then every living page has beaten, and the order holds.
FLUSH_PAUSE = 2.0
# The columns that a place is made of.
PLACE_FIELDS = (
    *("id", "code", "place", "priority", "keep_seconds", "needs_presence", "seen_at", "attempt", "retries", "queue"),
    "address",
)

PLACE = Coalesce("place", "id", output_field=BigIntegerField())  # as in `Entry.score`


class Reconciler:
    """Compares rows with places from time to time, and after a flush."""

    def __init__(self) -> None:
        self._runs: dict[str, str] = {}  # by line: the identity of its server
        self._restoring_since: dict[str, float] = {}  # by line, while it has no epoch
        self._new: set[str] = set()  # of these, the lines that have never had an entry
        self._compared_at: dict[str, float] = {}
        self._missing: dict[str, frozenset[str]] = {}  # by line: the ids without a place at the last comparison

    def look_at_server(self, server: Server) -> None:
        """Once a round: the identity of a server, for `reconcile` of its lines."""
        self._runs |= dict.fromkeys(server.lines, epoch.run_id(server.client))

    def reconcile(self, line: Line) -> int:
        """Restore after a flush, else compare if it is time to; returns how many places were restored."""
        if self.is_restoring(line):
            return self._restore_all(line)
        self._restoring_since.pop(line.name, None)  # another keeper has restored it
        now = time.monotonic()
        interval = CALM_INTERVAL if _numbers_agree(line) else RECONCILE_INTERVAL
        if now - self._compared_at.get(line.name, 0.0) < interval:
            return 0
        return self._compare(line)

    def is_restoring(self, line: Line) -> bool:
        """True from a flush or failover until every waiting row has a place on this server."""
        return epoch.read_epoch(line.client, line.name) != self._runs[line.name]

    def _restore_all(self, line: Line) -> int:
        """After a flush, or on another server, which may hold an old copy: every row gets its place, then the epoch.

        Workers claim again from then on. Pages beat first, so that the entries that come back are present.
        """
        now = time.monotonic()
        if line.name not in self._restoring_since or not epoch.is_being_restored(line.client, line.name):
            has_copy = bool(epoch.read_epoch(line.client, line.name))
            epoch.begin_restoring(line.client, line.name, is_other_server=has_copy)
            missing = _without_place(line)
            # In a copy all may have their places, and be away: nobody could beat while there was no primary.
            behind = _waiting_ids(line) if has_copy else missing
            if behind:
                epoch.keep_newcomers_back(line.client, line.name, _last_place(line, behind))
            self._note_beginning(line, len(missing), has_copy=has_copy)
            self._restoring_since[line.name] = now if behind else 0.0
        if now - self._restoring_since[line.name] < FLUSH_PAUSE:
            return 0
        self._missing[line.name] = frozenset(_without_place(line))  # whatever is missing now comes back
        restored = self._compare(line)
        if epoch.begin_epoch(line.client, line.name, self._runs[line.name]):
            del self._restoring_since[line.name]
            if line.name not in self._new:
                marks.note_flush(line.name, restored)
        return restored

    def _note_beginning(self, line: Line, missing: int, *, has_copy: bool) -> None:
        """Tell what has happened, but of a line that has never had an entry: that one is new."""
        self._new.discard(line.name)
        if not (has_copy or missing or Entry.objects.filter(queue=line.name).exists()):
            self._new.add(line.name)
            return
        logger.log(
            logging.WARNING if missing else logging.INFO,
            "%s: Redis is empty or another server; %d places come back",
            line.name,
            missing,
            extra=about_line(line.name, event="flush", count=missing),
        )

    def _compare(self, line: Line) -> int:
        self._compared_at[line.name] = time.monotonic()
        count_running(line)
        restored, _ = self.compare(line)
        return restored

    def compare(self, line: Line) -> tuple[int, int]:
        """All rows that wait against all places: how many were restored, and how many removed.

        Compares ids only, so that a long line costs little; those that differ are looked at again, row by row. A row
        that is missing for the first time may be on its way into the line, so it is restored at the next comparison.
        """
        waiting, placed = _waiting_ids(line), line.all_ids()
        missing = [job_id for job_id in waiting if job_id not in placed]
        before, self._missing[line.name] = self._missing.get(line.name, frozenset()), frozenset(missing)
        again = [job_id for job_id in missing if job_id in before]
        return restore(line, again), remove_ghosts(line, placed.difference(waiting))


def restore(line: Line, job_ids: Sequence[str]) -> int:
    """Give those of the ids whose row still waits their place back.

    The ids are given in the order of the line, because workers claim meanwhile.
    """
    total = 0
    for batch in batched(job_ids, WINDOW):
        rows = _waiting(line).of_jobs(batch)
        total += _restore(line, list(rows.in_order().only(*PLACE_FIELDS)))
    return total


def remove_ghosts(line: Line, job_ids: Collection[str]) -> int:
    """Remove the places of those of the ids whose row has ended, or is running. Foreign jobs stay."""
    removed = 0
    for batch in batched(job_ids, BATCH):
        rows = dict(Entry.objects.of_jobs(batch).values_list("code", "status"))
        for job_id in batch:
            status = rows.get(cast("uuid.UUID", code_of(job_id)))
            if status == Status.WAITING or (status is None and not is_entry_job(line.client, job_id)):
                continue  # it has joined since the ids were read, or is a foreign job
            if status == Status.RUNNING:
                line.remove_place(job_id)
            else:
                line.remove_but_job(job_id)
            removed += 1
    if removed:
        fields = about_line(line.name, event="places removed", count=removed)
        logger.warning("%s: removed %d places without a waiting row", line.name, removed, extra=fields)
    return removed


def _restore(line: Line, entries: list[Entry]) -> int:
    seen = [entry for entry in entries if not entry.is_unseen]
    for entry in seen:
        line.set_terms(entry.job_id, keep=entry.keep_seconds, always_present=entry.needs_nobody)
    restored = line.restore([Ranked(entry.job_id, entry.score) for entry in seen])
    unseen = (entry for entry in entries if entry.is_unseen)
    restored += [e.job_id for e in unseen if line.place(e.job_id, e.score, address=e.address, keep=e.keep_seconds or 0)]
    if restored:
        fields = about_line(line.name, event="places restored", count=len(restored))
        logger.warning("%s: restored %d places", line.name, len(restored), extra=fields)
        by_id = {entry.job_id: entry for entry in entries}
        EntryEvent.objects.bulk_create(
            EntryEvent(entry=by_id[job_id], kind=EntryEvent.Kind.RESTORED) for job_id in restored
        )
    return len(restored)


def _waiting_ids(line: Line) -> list[str]:
    """The job ids of the rows that wait, in the order of the line."""
    return [code.hex for code in _waiting(line).in_order().values_list("code", flat=True)]


def _without_place(line: Line) -> list[str]:
    placed = line.all_ids()
    return [job_id for job_id in _waiting_ids(line) if job_id not in placed]


def _last_place(line: Line, job_ids: Collection[str]) -> int:
    """The last of the places of these rows."""
    batches = (_waiting(line).of_jobs(batch) for batch in batched(job_ids, BATCH))
    places = [rows.aggregate(last=Max(PLACE))["last"] or 0 for rows in batches]
    return max(places)


def _waiting(line: Line) -> EntryQuerySet:
    return Entry.objects.waiting().due().filter(queue=line.name)


def _numbers_agree(line: Line) -> bool:
    """Cheap, and enough to notice a flush or a lost place. The full comparison comes each CALM_INTERVAL anyway."""
    return _waiting(line).count() == line.count_entries()
