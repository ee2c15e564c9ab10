"""The keeper's round, once a second: hold, drop, recover, reconcile, write timelines, publish the facts.

Every step can be repeated, and two keepers at the same time do no harm: each move is one script or one
compare-and-swap.
"""

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Collection
from datetime import timedelta
from functools import partial
from itertools import batched
from typing import Any

from django.conf import settings

from queueing import budget, ending
from queueing.conf import conf
from queueing.keeper import later, purge, steering, timeline
from queueing.keeper.holding import WINDOW, Holder
from queueing.keeper.mend import mend
from queueing.keeper.reachable import Reachable
from queueing.keeper.reconcile import Reconciler
from queueing.keeper.remembering import Rememberer
from queueing.keeper.survey import Surveyor
from queueing.line import presence, scripts, signs
from queueing.line.clients import RedisError, connection
from queueing.line.places import Line, get_line
from queueing.line.servers import Server
from queueing.logs import about_line
from queueing.models import Entry
from queueing.models.trouble import DATABASE_ERRORS
from queueing.registry import all_tasks
from queueing.states import Absence, Status

logger = logging.getLogger("queueing")

BATCH = 2000  # rows in one UPDATE
FACTS_INTERVAL = 2.0  # seconds between two surveys of the lines
# Seconds that a line may spend in one round on those who are absent, on those who leave for good, and on those whose
# time has come.
HOLD_BUDGET, DROP_BUDGET, BRING_BUDGET = 0.5, 0.5, 0.5
SETTLE_BUDGET = 0.5  # seconds that one round may spend on the entries of dead workers
PURGE_INTERVAL = 60.0  # seconds between two deletions of results past RESULT_TTL
PURGE_BUDGET = 0.5  # seconds that one round may spend on them
INPUTS_INTERVAL = 5.0  # seconds between two deletions of inputs past INPUT_TTL
SESSIONS_INTERVAL = 3600.0  # seconds between two deletions of expired sessions


class Keeper:
    """Makes the rounds. What they remember of each other may be forgotten at any time."""

    def __init__(self, *, spares_leases: bool = True) -> None:
        self.client = connection()  # of all that is of no line
        self.servers = Reachable()
        self.reconciler = Reconciler()
        self.surveyor = Surveyor()
        self.rememberer = Rememberer()
        # The lease of a healthy worker may have run out while the database was away: it gets one renewal's time.
        self._no_leases_before = time.monotonic() + conf.LEASE / 3 if spares_leases else -math.inf
        self._holders: dict[str, Holder] = {}  # by line
        self._limited: set[str] = set()  # the lines with a limit of running entries
        self._facts_at = 0.0
        self._purged_at = 0.0
        self._inputs_at = self._sessions_at = self._totals_at = -math.inf
        self._round_at = time.time()

    def round(self) -> Counter[str]:
        """One round over all lines; returns the number of entries that each step moved."""
        counts: Counter[str] = Counter()
        self._watch_for_sleep()
        try:
            self._go_through_lines(counts)
        finally:  # a Redis that is away or full does not keep the rows from their turn
            counts["orphaned"] += _guarded(self.recover_leases)
            counts["counted"] += _guarded(self.rememberer.count)
            counts["purged"] += _guarded(self._purge)
            counts["inputs deleted"] += _guarded(self._expire_inputs)
            counts["sessions deleted"] += _guarded(self._purge_sessions)
        lines = self.servers.lines(settings.QUEUEING_TASKS)
        self._publish_facts(lines)
        _guarded(self.rememberer.sample, lines)
        _guarded(self.rememberer.mark, lines)
        _guarded(self.rememberer.roll_up)
        self.servers.check_shared()
        _guarded(self._publish_totals)
        signs.note_round(self.client)
        return counts

    def _go_through_lines(self, counts: Counter[str]) -> None:
        failed: list[Exception] = []
        self.servers.go_through(partial(self._go_through_server, counts, failed))
        if failed:
            raise failed[-1]

    def _go_through_server(self, counts: Counter[str], failed: list[Exception], server: Server) -> None:
        """The lines of one server. Collects errors of the database: a lock in one line keeps no other one waiting."""
        self.reconciler.look_at_server(server)
        _guarded(mend, *server)
        if not server.lines:
            return
        try:
            _guarded(self._look_after_levers, server)
        except DATABASE_ERRORS as error:
            failed.append(error)
        for name in server.lines:
            try:
                self._go_through(get_line(name), counts)
            except DATABASE_ERRORS as error:
                failed.append(error)

    def _look_after_levers(self, server: Server) -> int:
        limited = steering.look_after(*server)
        self._limited = self._limited.difference(server.lines) | limited
        return len(limited)

    def _go_through(self, line: Line, counts: Counter[str]) -> None:
        if line.name in self._limited:  # before claims go back: those whose entries run are counted by then
            _guarded(steering.count_running, line)
        _guarded(self.keep_finishing_present, line)
        # Absences in an old copy of the places, and in the first seconds after a flush, are none of the visitors'.
        if not self.reconciler.is_restoring(line):
            counts["held"] += _guarded(self.hold, line)
            counts["dropped"] += _guarded(self.drop, line)
        counts["claims returned"] += _guarded(self.recover_claims, line)
        counts["brought"] += _guarded(self.bring, line)
        counts["restored"] += _guarded(self.reconciler.reconcile, line)
        counts["notes written"] += _guarded(timeline.write_notes, line)

    def spare_leases(self) -> None:
        """Leases may be over although their workers live: take none for the time of one renewal."""
        self._no_leases_before = time.monotonic() + conf.LEASE / 3

    def keep_finishing_present(self, line: Line) -> int:
        """Entries that were started, and whose task finishes anyway, wait for no visitor after a death of ours.

        A page that is open or closes meanwhile gives them an ordinary presence or absence, which is made good here.
        """
        heavy_task = all_tasks()[line.name]
        if heavy_task.stops_on_leave:
            return 0
        started = Entry.objects.waiting().due().filter(queue=line.name, attempt__gt=0, retries=0)
        codes = started.values_list("code", flat=True)
        job_ids = [code.hex for code in codes]
        for batch in batched(job_ids, WINDOW):
            presence.beat(line.name, batch, conf.POLL_TTL)
        return len(job_ids)

    def hold(self, line: Line) -> int:
        """Entries whose presence ran out keep the place, but are no longer in the line.

        Not while the pages of a web process that was killed come back: it was our fault that they did not beat.
        """
        if presence.are_returning(line.client):
            return 0
        holder = self._holders.setdefault(line.name, Holder(line.keys))
        return holder.go_on(line.client, until=time.monotonic() + HOLD_BUDGET)

    def drop(self, line: Line) -> int:
        """Held and unseen entries whose deadline has passed leave for good; very many of them in several rounds."""
        total, until = 0, time.monotonic() + DROP_BUDGET
        while time.monotonic() < until and (overdue := self._take_overdue(line)):
            total += sum(ending.drop(line.name, job_ids, absence) for absence, job_ids in overdue.items())
        return total

    def bring(self, line: Line) -> int:
        """Entries that were put off get their place when their time has come; very many of them in several rounds."""
        return later.bring(line, until=time.monotonic() + BRING_BUDGET)

    def recover_claims(self, line: Line) -> int:
        """Claims that were not started in a LEASE go back to their place, whether or not the worker lives."""
        returned = 0
        for worker, claim in line.claims().items():
            if claim.seconds < conf.LEASE:
                continue
            entry = Entry.objects.of_job(claim.job_id)
            if entry is not None and entry.status != Status.WAITING:
                line.end_stale_claim(worker, claim.job_id)
                continue
            place = ending.release(entry, worker) if entry else line.release(worker, claim.job_id, claim.score)
            returned += bool(place)
            fields = about_line(line.name, event="claim returned", worker=worker, entry=claim.job_id)
            text = "%s: the claim of %s on %s was not started in time"
            logger.warning(text, line.name, worker, claim.job_id, extra=fields)
        return returned

    def recover_leases(self) -> int:
        """Running entries whose worker gave no sign of life go back to their place, or fail."""
        self._watch_for_sleep()  # again: a step of this very round may have hung
        if time.monotonic() < self._no_leases_before:
            return 0
        lines = self.servers.lines(settings.QUEUEING_TASKS) or list(settings.QUEUEING_TASKS)
        away = [queue for queue in settings.QUEUEING_TASKS if queue not in lines]
        return ending.settle_orphans(until=time.monotonic() + SETTLE_BUDGET, without=away)

    def _watch_for_sleep(self) -> None:
        """The machine was suspended, or a step hung for long: the workers' renewals may be as late as this round."""
        now = time.time()
        if now - self._round_at > conf.LEASE / 3:
            self.spare_leases()
        self._round_at = now

    def _take_overdue(self, line: Line) -> dict[Absence, list[str]]:
        """Take the places of one batch of rows; the job ids by absence. A script takes few ids, an UPDATE many."""
        taken: dict[Absence, list[str]] = {}
        for _ in range(BATCH // WINDOW):
            dropped = scripts.drop(
                line.client,
                line.keys,
                least_watch=conf.LOST_GRACE,
                window=WINDOW,
                watch_life=presence.watch_life(),
            )
            if not dropped:
                break
            for job_id, absence in dropped:
                taken.setdefault(absence, []).append(job_id)
        return taken

    def _publish_facts(self, lines: Collection[str]) -> None:
        now = time.monotonic()
        if now - self._facts_at < FACTS_INTERVAL:
            return
        self._facts_at = now
        _guarded(self.surveyor.publish, lines)

    def _publish_totals(self) -> int:
        now = time.monotonic()
        if now - self._totals_at < budget.TOTALS_INTERVAL:
            return 0
        self._totals_at = now
        return len(budget.publish_totals().lines)

    def _expire_inputs(self) -> int:
        """As `_purge`, for the inputs of ended entries."""
        now = time.monotonic()
        if now - self._inputs_at < INPUTS_INTERVAL:
            return 0
        expired = purge.expire_inputs(until=now + PURGE_BUDGET)
        if time.monotonic() < now + PURGE_BUDGET:
            self._inputs_at = now
        return expired

    def _purge_sessions(self) -> int:
        """As `_purge`, for sessions. Django deletes none by itself."""
        now = time.monotonic()
        if now - self._sessions_at < SESSIONS_INTERVAL:
            return 0
        purged = purge.purge_sessions(until=now + PURGE_BUDGET)
        if time.monotonic() < now + PURGE_BUDGET:
            self._sessions_at = now
        return purged

    def _purge(self) -> int:
        """Results are kept for RESULT_TTL and not much longer. A long backlog is purged over many rounds."""
        now = time.monotonic()
        if now - self._purged_at < PURGE_INTERVAL:
            return 0
        purged = purge.purge_entries(timedelta(seconds=conf.RESULT_TTL), until=now + PURGE_BUDGET).total()
        if time.monotonic() < now + PURGE_BUDGET:
            self._purged_at = now
        return purged


def _guarded(step: Callable[..., int], *arguments: Any) -> int:
    """A step that fails must not keep the others from their work. An absent Redis or database concerns them all."""
    try:
        return step(*arguments)
    except (RedisError, *DATABASE_ERRORS):
        raise
    except Exception:
        logger.exception("keeper: a step failed")
        return 0
