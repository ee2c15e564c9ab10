"""The keeper's round, once a second: hold, drop, recover, reconcile, write timelines, publish the facts.

Every step can be repeated, and two keepers at once do no harm: each move is one script or one compare-and-swap.
"""

import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from django.conf import settings
from django.db import DatabaseError

from queueing import purge, services, stats
from queueing.conf import conf
from queueing.keys import KEEPER, WATCH, RedisError, as_list, connection, milliseconds, script
from queueing.line import LineQueue, get_line, is_runner
from queueing.models import Entry, EntryEvent, EntryQuerySet, code_of
from queueing.presence import Cause
from queueing.states import Status

logger = logging.getLogger("queueing")

WINDOW = 200  # ids a script looks at in one call; it blocks everybody for about 1 ms
BATCH = 2000  # rows in one statement
MOVES_A_ROUND = 5000  # lines of timelines written in one round
# Seconds between two comparisons of rows and places while they disagree in number, and while they agree.
RECONCILE_INTERVAL, CALM_INTERVAL = 2.0, 60.0
# Seconds after a flush before places come back: by then every living page has beaten, and the order holds.
FLUSH_PAUSE = 2.0
# A row younger than this many seconds may be on its way into the line.
NEWBORN = 2.0
FACTS_INTERVAL = 2.0  # seconds
PURGE_INTERVAL = 60.0  # seconds between two deletions of results past RESULT_TTL


class Keeper:
    """Keeps what the rounds remember of each other; all of it may be forgotten."""

    def __init__(self) -> None:
        self.client = connection()
        # The lease of a healthy worker may have run out while the database was away: it gets one renewal's time.
        self._no_leases_before = time.monotonic() + conf.LEASE / 3
        self._flushed_at: float | None = None
        self._reconciled: dict[str, float] = {}
        self._facts_at = 0.0
        self._purged_at = 0.0
        self._round_at = time.time()

    def round(self) -> Counter[str]:
        """One round over all lines; the number of entries that each step moved."""
        counts: Counter[str] = Counter()
        self._watch_for_sleep()
        self._watch_for_flush()
        for name in settings.QUEUEING_TASKS:
            line = get_line(name)
            counts["held"] += _attempt(self.hold, line)
            counts["dropped"] += _attempt(self.drop, line)
            counts["claims returned"] += _attempt(self.recover_claims, line)
            counts["restored"] += _attempt(self.reconcile, line)
            counts["moves written"] += _attempt(self.write_moves, line)
        counts["orphaned"] += _attempt(self.recover_leases)
        self._publish_facts()
        counts["purged"] += _attempt(self._purge)
        self.client.set(KEEPER, 1, px=milliseconds(max(5 * conf.KEEPER_INTERVAL, 5)))
        return counts

    def database_was_lost(self) -> None:
        """Workers could not renew their leases either: give them the time to do so."""
        self._no_leases_before = time.monotonic() + conf.LEASE / 3

    def _watch_for_sleep(self) -> None:
        """The machine was suspended, or a step hung for long: the workers' renewals may be as late as this round."""
        now = time.time()
        if now - self._round_at > conf.LEASE / 3:
            self.database_was_lost()
        self._round_at = now

    # Absence

    def hold(self, line: LineQueue) -> int:
        """Whose presence ran out keeps the place, but is no longer in the line."""
        hold, rank, total = script(self.client, "hold"), 0, 0
        while True:
            seen, held = cast(
                list[int], hold(keys=as_list(line.keys), args=[rank, WINDOW, milliseconds(conf.LOST_GRACE)])
            )
            total += held
            rank += seen - held
            if seen < WINDOW:
                return total

    def drop(self, line: LineQueue) -> int:
        """Whose deadline has passed leaves for good."""
        total = 0
        while by_cause := self._take_overdue(line):
            total += sum(services.drop(line.name, ids, cast(Cause, cause)) for cause, ids in by_cause.items())
        return total

    def _take_overdue(self, line: LineQueue) -> dict[str, list[str]]:
        """Take the places of one batch; the job ids by cause. A script takes few at a time, an UPDATE rather many."""
        drop, by_cause = script(self.client, "drop"), dict[str, list[str]]()
        for _ in range(BATCH // WINDOW):
            reply = drop(keys=[*as_list(line.keys), WATCH], args=[milliseconds(conf.LOST_GRACE), WINDOW])
            if not reply or reply == [b"blind"]:
                break
            for job_id, cause in zip(reply[::2], reply[1::2], strict=True):
                by_cause.setdefault(cause.decode(), []).append(job_id.decode())
        return by_cause

    # Workers that died

    def recover_claims(self, line: LineQueue) -> int:
        """Claims that were not started in a LEASE go back to their place, whether or not the worker lives."""
        returned = 0
        for worker, (job_id, score, seconds) in line.claims().items():
            if seconds < conf.LEASE:
                continue
            entry = Entry.objects.of_job(job_id)
            if entry is None or entry.status == Status.WAITING:
                returned += bool(services.release(entry, worker) if entry else line.release(worker, job_id, score))
                logger.warning("%s: the claim of %s on %s was not started in time", line.name, worker, job_id)
            else:
                line.disclaim(worker, job_id)
        return returned

    def recover_leases(self) -> int:
        """Running entries whose worker gave no sign of life go back to their place, or fail."""
        if time.monotonic() < self._no_leases_before:
            return 0
        return services.recover_orphans()

    # Rows and places

    def reconcile(self, line: LineQueue) -> int:
        """Rows that wait without a place get it back; places whose row does not wait go. Returns the restored."""
        now = time.monotonic()
        if self._flushed_at is not None and now - self._flushed_at < FLUSH_PAUSE:
            return 0
        interval = CALM_INTERVAL if self._numbers_agree(line) else RECONCILE_INTERVAL
        if now - self._reconciled.get(line.name, 0.0) < interval and self._flushed_at is None:
            return 0
        self._reconciled[line.name] = now
        restored, _ = self.compare(line)
        return restored

    def compare(self, line: LineQueue) -> tuple[int, int]:
        """All rows that wait against all places: how many were restored, and how many removed.

        Ids only, so that a long line costs little; those that differ are looked at again, row by row.
        """
        in_order = self._waiting(line).order_by("-priority", "id").values_list("code", flat=True)
        waiting = [code.hex for code in in_order]
        placed = line.all_ids()
        missing = [job_id for job_id in waiting if job_id not in placed]
        return self.restore(line, missing), self.remove_ghosts(line, placed.difference(waiting))

    def restore(self, line: LineQueue, job_ids: Sequence[str]) -> int:
        """Those of the ids whose row still waits, and is not just on its way into the line, get their place back.

        In the order of the line, as the ids are given: workers claim meanwhile.
        """
        newborn = datetime.fromtimestamp(time.time() - NEWBORN, UTC)
        total = 0
        for batch in _chunks(job_ids, WINDOW):
            rows = self._waiting(line).of_jobs(batch).filter(joined_at__lt=newborn)
            total += self._restore(line, list(rows.order_by("-priority", "id").only(*PLACE_FIELDS)))
        return total

    def _restore(self, line: LineQueue, entries: list[Entry]) -> int:
        for entry in entries:
            line.recall(entry.job_id, keep=entry.keep_seconds, always_present=not entry.needs_presence)
        restored = line.restore([(entry.job_id, entry.score) for entry in entries])
        if restored:
            logger.warning("%s: restored %d places", line.name, len(restored))
            by_id = {entry.job_id: entry for entry in entries}
            EntryEvent.objects.bulk_create(
                EntryEvent(entry=by_id[job_id], kind=EntryEvent.Kind.RESTORED) for job_id in restored
            )
        return len(restored)

    def remove_ghosts(self, line: LineQueue, job_ids: Collection[str]) -> int:
        """Those of the ids whose row has ended, or is running, lose their place. Jobs that are not entries stay."""
        removed = 0
        for batch in _chunks(list(job_ids), BATCH):
            rows = dict(Entry.objects.of_jobs(batch).values_list("code", "status"))
            for job_id in batch:
                status = rows.get(cast(uuid.UUID, code_of(job_id)))
                if status not in (None, Status.WAITING) or (status is None and is_runner(job_id)):
                    line.forget_place(job_id)
                    removed += 1
        if removed:
            logger.warning("%s: removed %d places without a waiting row", line.name, removed)
        return removed

    def _waiting(self, line: LineQueue) -> EntryQuerySet:
        return Entry.objects.waiting().filter(queue=line.name)

    def _numbers_agree(self, line: LineQueue) -> bool:
        """Cheap, and enough to notice a flush or a lost place; the full comparison comes each CALM_INTERVAL anyway."""
        return self._waiting(line).count() == line.places()

    def _watch_for_flush(self) -> None:
        """A mark without an end that only a flush (or a new, empty Redis) takes away."""
        if self.client.set("queueing:epoch", round(time.time()), nx=True):
            logger.warning("Redis is empty: places come back in %s s", FLUSH_PAUSE)
            self._flushed_at = time.monotonic()
            self._reconciled.clear()
        elif self._flushed_at is not None and time.monotonic() - self._flushed_at > 2 * FLUSH_PAUSE:
            self._flushed_at = None

    def _purge(self) -> int:
        """Results are kept for RESULT_TTL and not much longer."""
        now = time.monotonic()
        if now - self._purged_at < PURGE_INTERVAL:
            return 0
        self._purged_at = now
        return purge.purge_entries(timedelta(seconds=conf.RESULT_TTL)).total()

    # Telling

    def write_moves(self, line: LineQueue) -> int:
        """Drain what scripts and horses noted (held, back, started) into the timelines."""
        noted = [_parse_move(move) for move in self._take_moves(line)]
        codes = {code for *_, job_ids in noted for job_id in job_ids if (code := code_of(job_id))}
        found: dict[uuid.UUID, int] = {}
        for batch in _chunks(list(codes), BATCH):
            found.update(Entry.objects.filter(code__in=batch).values_list("code", "pk"))
        events = [
            EntryEvent(entry_id=pk, at=at, kind=kind, detail=detail)
            for at, kind, detail, job_ids in noted
            for job_id in job_ids
            if (code := code_of(job_id)) and (pk := found.get(code))
        ]
        EntryEvent.objects.bulk_create(events, batch_size=BATCH)
        return len(events)

    def _take_moves(self, line: LineQueue) -> list[bytes]:
        """One script may have moved a whole window of entries in one note."""
        taken: list[bytes] = []
        while sum(move.count(b" ") + 1 for move in taken) < MOVES_A_ROUND:
            moves = cast(list[bytes] | None, self.client.lpop(line.keys.moves, 100))
            if not moves:
                break
            taken += moves
        return taken

    def _publish_facts(self) -> None:
        now = time.monotonic()
        if now - self._facts_at < FACTS_INTERVAL:
            return
        self._facts_at = now
        for name in settings.QUEUEING_TASKS:
            stats.publish_facts(name)


def _attempt(step: Callable[..., int], *arguments: Any) -> int:
    """One step that fails must not keep the others from their work. An absent Redis or database concerns them all."""
    try:
        return step(*arguments)
    except (RedisError, DatabaseError):
        raise
    except Exception:
        logger.exception("keeper: a step failed")
        return 0


def _parse_move(move: bytes) -> tuple[datetime, str, str, list[str]]:
    """When, what, the detail, and the job ids."""
    ms, kind, rest = move.decode().split(":", 2)
    detail, _, job_ids = rest.rpartition(":")
    return datetime.fromtimestamp(int(ms) / 1000, UTC), kind, detail[:200], job_ids.split()


PLACE_FIELDS = ("id", "code", "priority", "keep_seconds", "needs_presence", "queue")


def _chunks[T](items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
