"""The lease: a worker renews it while its horse works on an entry, and settles the row afterwards."""

import logging
import time

from rq.queue import Queue

from queueing import ending, inputs
from queueing.conf import conf
from queueing.line import presence
from queueing.line.clients import RedisError
from queueing.line.places import Line
from queueing.models import Entry
from queueing.registry import all_tasks
from queueing.states import Absence, Reason, Status
from queueing.work import blame
from queueing.work.guard import Guard

logger = logging.getLogger("queueing")


class Lease:
    """A worker's hold on one entry, from the fork of the horse to its end."""

    def __init__(self, worker: str, job_id: str) -> None:
        self.worker = worker
        self.job_id = job_id
        self.why = ""  # the horse must end, as the end of a sentence
        self._had_ended = False  # at the last renewal
        self._ignored_since: float | None = None  # since when the task ignores an absence whose grace has passed

    def renew(self, *, has_started: bool = True) -> bool:
        """Renew the lease. False when the horse must end: the row was taken away, or nobody waits for its result.

        Before the start there is nothing to renew. Raises DATABASE_ERRORS.
        """
        entry = Entry.objects.of_job(self.job_id)
        if entry is None:
            self.why = "its row is deleted"
        elif entry.status == Status.WAITING and not has_started:
            return True
        elif not entry.is_live or entry.status == Status.WAITING:
            # A horse that has just stored its end is still closing its books: it may live until the next renewal.
            had_ended, self._had_ended = self._had_ended, True
            self.why = f"it is {entry.status} ({Reason(entry.reason).label}), and its task goes on" if had_ended else ""
        elif not self._is_ours(entry):
            self.why = "another worker has it"
        elif not entry.renew_lease():
            self._had_ended = True  # it has moved since it was read; the next renewal sees where to
        elif absence := self._ignored_absence(entry):
            self.why = f"the visitor has gone ({absence}), and its task has called no progress for DEAF_GRACE"
            if entry.abandon(Reason(absence)):
                ending.finish(entry)
        return not self.why

    def settle(self, line: Line, horse_status: int | None = None, guard: Guard | None = None) -> None:
        """Settle the row of a horse that ended without a result; give an unused claim back.

        Raises DATABASE_ERRORS or RedisError; the keeper then settles the row later.
        """
        entry = Entry.objects.of_job(self.job_id)
        if entry is None:
            line.end_claim(self.worker, self.job_id)
            line.remove_but_job(self.job_id)
        elif entry.status == Status.WAITING:
            ending.release(entry, self.worker)
        elif entry.status != Status.SUCCEEDED and self._is_ours(entry):
            if entry.status == Status.RUNNING:
                self._settle_running(entry, horse_status, guard)
            inputs.delete_attempt(entry)  # a horse that was killed has left its files

    def _settle_running(self, entry: Entry, horse_status: int | None, guard: Guard | None) -> None:
        """Fail the row where the input is to blame: a second attempt would end so, too. Else give it back."""
        verdict = blame.of_death(
            horse_status,
            timed_out=guard is not None and guard.is_late,
            broken=guard.broken if guard else None,
            short_of_memory=guard is not None and guard.short_of_memory,
        )
        if verdict is None:
            detail = f"The horse of worker {self.worker} ended without a result."
            logger.warning("entry %s: %s Its status is %s.", entry.code, detail, horse_status)
            ending.settle_orphan(entry, detail)
        elif verdict.fail(entry):
            told = verdict.traceback or f"It ran for longer than its timeout of {timeout_of(entry.queue)} s."
            logger.warning("entry %s is ended: %s", entry.code, told)
            ending.finish(entry)

    def _is_ours(self, entry: Entry) -> bool:
        return bool(entry.worker_ids) and entry.worker_ids[-1] == self.worker

    def _ignored_absence(self, entry: Entry) -> Absence | None:
        """The absence whose grace has passed, if the task has ignored it for DEAF_GRACE."""
        if not entry.stops_on_leave:
            return None
        try:
            visitor = presence.inspect(entry.queue, entry.job_id, entry.keep_seconds)
        except RedisError:
            return None
        if not visitor.is_over:
            self._ignored_since = None
            return None
        now = time.monotonic()
        self._ignored_since = self._ignored_since or now
        return visitor.absence if now - self._ignored_since >= conf.DEAF_GRACE else None


def timeout_of(queue: str) -> int:
    """Seconds that a task of this queue may run."""
    heavy_task = all_tasks().get(queue)
    return heavy_task.timeout if heavy_task is not None else Queue.DEFAULT_TIMEOUT
