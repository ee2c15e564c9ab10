"""Questions about many entries."""

import logging
import uuid
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models.functions import Coalesce, Now

from queueing import logs, signals, site_time
from queueing.models.compiled import Given, UpdateReturning
from queueing.models.memory import NOT_COUNTED
from queueing.models.moves import BARE, PRIORITY_STEP, input_end, lease_time, log_move, start_values
from queueing.states import FINAL, LIVE, Reason, Status

if TYPE_CHECKING:
    from queueing.models.entry import Entry

# The rank of an entry in its line, as `Entry.score` has it.
SCORE = models.ExpressionWrapper(
    Coalesce("place", "id") - models.F("priority") * PRIORITY_STEP, output_field=models.BigIntegerField()
)
# The columns of an entry that a log line about it needs.
LOGGED = ("id", "code", "queue", "status", "reason", "attempt", "worker_ids", "traceparent")


def code_of(name: str) -> uuid.UUID | None:
    """The code in a job id or a URL; None for a text that cannot be an entry's code."""
    try:
        return uuid.UUID(name)
    except ValueError:
        return None


class EntryQuerySet(models.QuerySet["Entry"]):
    def waiting(self) -> Self:
        return self.filter(status=Status.WAITING)

    def running(self) -> Self:
        return self.filter(status=Status.RUNNING)

    def due(self) -> Self:
        """Without the entries that are put off, by the database's clock."""
        return self.filter(models.Q(not_before=None) | models.Q(not_before__lte=Now()))

    def live(self) -> Self:
        return self.filter(status__in=LIVE)

    def final(self) -> Self:
        return self.filter(status__in=FINAL)

    def inputs_over(self) -> Self:
        """Ended entries whose input is past its time, by the database's clock."""
        return self.final().filter(input_until__lt=Now(), input__gt="")

    def not_counted(self) -> Self:
        """Entries of which something is not in the minutes of their line yet."""
        return self.filter(NOT_COUNTED)

    def lease_over(self) -> Self:
        """Running entries whose worker gave no sign of life, by the database's clock."""
        return self.running().filter(lease_until__lt=Now())

    def of_jobs(self, job_ids: Iterable[str]) -> Self:
        """The entries of these jobs. Ids that cannot belong to an entry are passed over."""
        return self.filter(code__in=[code for job_id in job_ids if (code := code_of(job_id))])

    def of_job(self, job_id: str) -> "Entry | None":
        return self.of_jobs([job_id]).first()

    def start_first_attempt(self, job_id: str, worker: str) -> "Entry | None":
        """waiting -> running in one query: `Entry.start` for a row that has not been read yet.

        None when the row must be read after all: the row moved, was tried before, or is gone.
        """
        if (code := code_of(job_id)) is None:
            return None
        self._for_write = True  # a router may send reads to another database
        entries = self.model.objects.using(self.db)
        first = FIRST_START.execute(entries, code=code, worker_ids=[worker], now=site_time.now(), lease=lease_time())
        if not first:
            return None
        log_move(first[0], Status.WAITING)
        return first[0]

    def bring(self, names: Collection[str]) -> "list[Entry]":
        """Put off -> due: waiting rows whose time has come forget it. Returns those rows, with these columns."""
        return self.waiting().filter(not_before__lte=Now()).update_returning({"not_before": None}, names)

    def update_returning(self, values: dict[str, Any], names: Collection[str]) -> "list[Entry]":
        """As `update`, and returns the rows that were changed, with these columns as they are now."""
        meta = self.model._meta
        changes = [(meta.get_field(name), None, value) for name, value in values.items()]
        fields: Any = [field for field in meta.concrete_fields if field.name in names]  # in the order of `from_db`
        self._for_write = True  # as `update` does
        unsliced: Any = self
        rows = unsliced._update(changes, fields)  # noqa: SLF001  # UPDATE ... RETURNING has no public name
        return [self.model.from_db(self.db, [field.attname for field in fields], row) for row in rows]

    def in_order(self) -> Self:
        """In the order of the line."""
        return self.order_by(SCORE, "id")

    def without_large_columns(self) -> Self:
        """Defers the large columns. Every open page keeps its entry in memory; this saves 1.5 KB each."""
        return self.defer("args", "kwargs", "result", "error_class", "traceback")

    def erase(self) -> int:
        """Take the content out of ended rows; returns the number of rows that had it. See `ending.erase`."""
        return self.final().filter(erased_at=None).update(**BARE, erased_at=Now())

    def abandon(self, reason: Reason) -> int:
        """waiting -> abandoned, for the rows that still wait; returns the number of rows that moved."""
        end = {"finished_at": Now(), "input_until": input_end(), "slot": None}
        values = {"status": Status.ABANDONED, "reason": reason, **end}
        if not logs.each.isEnabledFor(logging.INFO) and not signals.entry_dropped.has_listeners():
            return self.waiting().update(**values)
        moved = self.waiting().update_returning(values, LOGGED)
        for entry in moved:
            fields = logs.about(entry, event="move", origin=str(Status.WAITING))
            logs.each.info("entry %s: %s -> %s %s", entry.code, Status.WAITING, entry.status, reason, extra=fields)
        for queue in {entry.queue for entry in moved}:
            codes = [entry.code for entry in moved if entry.queue == queue]
            signals.entry_dropped.send_robust(queue, codes=codes, reason=reason)
        return len(moved)


# `start_first_attempt`. The page of the visitor who is next waits for it.
FIRST_START: "UpdateReturning[Entry]" = UpdateReturning(
    lambda entries: entries.waiting().due().filter(code=Given("code", models.UUIDField()), attempt=0),
    lambda: start_values(
        worker_ids=Given("worker_ids", models.JSONField()),
        now=Given("now", models.DateTimeField()),
        lease=Given("lease", models.DurationField()),
    ),
)
