"""Entries with their input, the files of their results, and their timelines. The rows are the only truth.

A row moves by one compare-and-swap UPDATE per verb. False (or None) from a verb means that somebody else was first,
and the caller stops. `attempt` is the fencing token: a worker that lost its entry to a later attempt cannot write.
"""

import logging
import uuid
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Now
from django.utils import timezone

from queueing.conf import conf
from queueing.exceptions import IllegalMove
from queueing.registry import HeavyTask, get_task
from queueing.states import FINAL, LIVE, MOVES, Reason, Status

logger = logging.getLogger("queueing")


def code_of(name: str) -> uuid.UUID | None:
    """The code in a job id or a URL; None when it cannot be an entry's."""
    try:
        return uuid.UUID(name)
    except ValueError:
        return None


def input_path(entry: "Entry", name: str) -> str:
    """Where an entry's input is stored. Beside it lies a folder for each attempt's results."""
    return f"entries/{entry.code}/{name}"


def file_path(file: "EntryFile", name: str) -> str:
    """Where a result file is stored: by attempt, so that a late attempt cannot overwrite what was kept."""
    return f"entries/{file.entry.code}/{file.attempt}/{name}"


class EntryQuerySet(models.QuerySet["Entry"]):
    def waiting(self) -> Self:
        return self.filter(status=Status.WAITING)

    def running(self) -> Self:
        return self.filter(status=Status.RUNNING)

    def live(self) -> Self:
        return self.filter(status__in=LIVE)

    def final(self) -> Self:
        return self.filter(status__in=FINAL)

    def lease_over(self) -> Self:
        """Running entries whose worker gave no sign of life, by the database's clock."""
        return self.running().filter(lease_until__lt=Now())

    def of_jobs(self, job_ids: Iterable[str]) -> Self:
        """The entries of these jobs. Ids that cannot be an entry's are passed over."""
        return self.filter(code__in=[code for job_id in job_ids if (code := code_of(job_id))])

    def of_job(self, job_id: str) -> "Entry | None":
        return self.of_jobs([job_id]).first()

    def start_first_attempt(self, job_id: str, worker: str) -> "Entry | None":
        """waiting -> running in one query: `Entry.start` for a row that has not been read yet.

        None when the row must be read after all: it moved, was tried before, or is gone.
        """
        if (code := code_of(job_id)) is None:
            return None
        meta = self.model._meta
        changes = [(meta.get_field(name), None, value) for name, value in _start_values(worker).items()]
        first: Any = self.waiting().filter(code=code, attempt=0)
        rows = first._update(changes, meta.concrete_fields)  # noqa: SLF001  # UPDATE ... RETURNING has no public name
        if not rows:
            return None
        entry = self.model.from_db(self.db, [field.attname for field in meta.concrete_fields], rows[0])
        _log_move(entry, Status.WAITING)
        return entry

    def without_large_columns(self) -> Self:
        """Defers the large columns. Every open page keeps its entry in memory; this saves 1.5 KB each."""
        return self.defer("args", "kwargs", "result", "error_class", "traceback")

    def abandon(self, reason: Reason) -> int:
        """waiting -> abandoned, for those of these rows that still wait; returns the number of rows that moved."""
        return self.waiting().update(status=Status.ABANDONED, reason=reason, finished_at=Now(), slot=None)


class Entry(models.Model):
    """One visitor's place in a line."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    queue = models.CharField(max_length=100)
    task_path = models.CharField(max_length=200)
    args = models.JSONField(default=list)
    kwargs = models.JSONField(default=dict)
    # The input under a name of ours; and its name and type as the browser gave them, which are never trusted.
    input = models.FileField(upload_to=input_path, max_length=300, blank=True)
    input_name = models.CharField(max_length=200, blank=True)
    input_type = models.CharField(max_length=100, blank=True)
    # -100..100 as in django.tasks; higher goes first.
    priority = models.SmallIntegerField(default=0)

    # The owner: a random name kept in the browser's session, or a user, or nobody (enqueued by code).
    visitor = models.UUIDField(null=True, blank=True, db_index=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    # The number of this place among the visitor's MAX_WAITING_PER_VISITOR, while it waits for the first time.
    slot = models.PositiveSmallIntegerField(null=True, editable=False)
    needs_presence = models.BooleanField(default=True)
    # Seconds the place is kept in an absence, when the visitor asked for more than the usual.
    keep_seconds = models.PositiveIntegerField(null=True, blank=True)

    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING)
    reason = models.CharField(max_length=10, choices=Reason, default=Reason.NONE, blank=True)
    joined_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    last_attempted_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    attempt = models.PositiveSmallIntegerField(default=0)
    worker_ids = models.JSONField(default=list, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    progress = models.FloatField(null=True, blank=True)
    # One sentence for the visitor: what happens now, or why it failed.
    message = models.CharField(max_length=300, blank=True)

    result = models.JSONField(null=True, blank=True)
    # For staff, and for the TaskResult of django.tasks.
    error_class = models.CharField(max_length=200, blank=True)
    traceback = models.TextField(blank=True)

    objects = EntryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "entries"
        indexes = [
            # The keeper's round: waiting rows of a queue in order, and leases that are over.
            models.Index(fields=["queue", "id"], condition=models.Q(status=Status.WAITING), name="entry_waiting"),
            models.Index(fields=["lease_until"], condition=models.Q(status=Status.RUNNING), name="entry_running"),
            # purge_stale, and recent run times for the expected wait.
            models.Index(fields=["queue", "finished_at"], name="entry_finished"),
        ]
        constraints = [
            # Two joins at the same moment cannot both take a visitor's last place.
            models.UniqueConstraint(
                fields=["visitor", "slot"], condition=models.Q(status=Status.WAITING), name="entry_slot"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.queue} {self.code}"

    @property
    def job_id(self) -> str:
        """The id of this entry's RQ job."""
        return self.code.hex

    @property
    def score(self) -> int:
        """The place in the line: joined order within a priority. Exact in a double up to 2**53."""
        return self.id - self.priority * 2**40

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def heavy_task(self) -> HeavyTask:
        return get_task(self.queue)

    # Moves. Each is logged once, by `_log_move`.

    def start(self, worker: str) -> bool:
        """waiting -> running: a worker takes the lease for a new attempt."""
        values = _start_values(worker) | {"attempt": self.attempt + 1, "worker_ids": [*self.worker_ids, worker]}
        if self.started_at:
            del values["started_at"]
        return self._move(values.pop("status"), **values)

    def renew_lease(self) -> bool:
        """A sign of life of this attempt. False: the attempt is no longer this worker's to run."""
        return bool(self._unmoved().update(lease_until=_lease_end()))

    def report(self, progress: float, message: str) -> bool:
        """What the visitor sees of the running attempt. False: the attempt is no longer this worker's to run."""
        return bool(self._unmoved().update(progress=progress, message=_clean(message)[:300]))

    def succeed(self, result: Any, files: Sequence["EntryFile"] = ()) -> bool:
        """running -> succeeded, with the result's files in the same transaction."""
        # One UPDATE is a transaction of its own.
        with transaction.atomic() if files else nullcontext():
            moved = self._finish(Status.SUCCEEDED, Reason.NONE, result=result, progress=1.0, message="")
            if moved and files:
                EntryFile.objects.bulk_create(files)
        return moved

    def fail(self, reason: Reason, message: str = "", *, error_class: str = "", traceback: str = "") -> bool:
        """running -> failed; the message is for the visitor, the rest for staff."""
        return self._finish(
            Status.FAILED,
            reason,
            message=_clean(message)[:300],
            error_class=error_class[:200],
            traceback=_clean(traceback),
        )

    def cancel(self, reason: Reason = Reason.LEFT) -> bool:
        """waiting or running -> cancelled: by the visitor, or by staff."""
        return self._finish(Status.CANCELLED, reason)

    def abandon(self, reason: Reason) -> bool:
        """waiting or running -> abandoned: the visitor was absent for too long."""
        return self._finish(Status.ABANDONED, reason)

    def requeue_orphan(self, *, overdue: bool = False) -> bool:
        """running -> waiting, in its old place: the worker of this attempt died.

        With `overdue`, only if the lease is still over: since it was looked at, the worker may have renewed it.
        """
        values = {"reason": Reason.ORPHANED, "lease_until": None, "progress": None, "message": ""}
        return self._move(Status.WAITING, overdue=overdue, **values)

    def fail_orphan(self, message: str, traceback: str, *, overdue: bool = False) -> bool:
        """running -> failed: the worker of the last attempt died. For `overdue` see `requeue_orphan`."""
        return self._finish(Status.FAILED, Reason.ORPHANED, overdue=overdue, message=message, traceback=traceback)

    def undo_start(self) -> bool:
        """running -> waiting as if never started: the visitor left while the start was under way."""
        return self._move(
            Status.WAITING,
            attempt=self.attempt - 1,
            worker_ids=self.worker_ids[:-1],
            started_at=self.started_at if self.attempt > 1 else None,
            lease_until=None,
        )

    def keep(self, seconds: int) -> bool:
        """Keep the place for longer in an absence."""
        unkept = Entry.objects.waiting().filter(pk=self.pk, keep_seconds=None)
        return bool(unkept.update(keep_seconds=seconds))

    def _finish(self, status: Status, reason: Reason, *, overdue: bool = False, **values: Any) -> bool:
        values |= {"reason": reason, "finished_at": timezone.now(), "lease_until": None, "slot": None}
        return self._move(status, overdue=overdue, **values)

    def _move(self, to: Status, *, overdue: bool = False, **values: Any) -> bool:
        """One compare-and-swap from the status and attempt that this object has read; it then has what was written.

        False: the entry has ended, or somebody else moved it first. Raises IllegalMove for a move that is not in MOVES.

        Times for people are this process's, as the length of a run is. Only the end of a lease, which many processes
        judge, is by the database's clock; it is read again when somebody asks for it.
        """
        origin = Status(self.status)
        if origin in FINAL:
            return False
        if to not in MOVES[origin]:
            raise IllegalMove(f"An entry cannot move from {origin} to {to}.")
        rows = self._unmoved(origin).lease_over() if overdue else self._unmoved(origin)
        if not rows.update(status=to, **values):
            return False
        for name, value in ({"status": to} | values).items():
            if isinstance(value, models.expressions.Combinable):
                self.__dict__.pop(name, None)  # the database made it
            else:
                setattr(self, name, value)
        _log_move(self, origin)
        return True

    def _unmoved(self, status: Status = Status.RUNNING) -> EntryQuerySet:
        """This row, if it still has that status and the attempt that this object has read."""
        return Entry.objects.filter(pk=self.pk, status=status, attempt=self.attempt)


def _log_move(entry: Entry, origin: Status) -> None:
    status, reason = Status(entry.status), Reason(entry.reason)
    logger.info("entry %s attempt %s: %s -> %s %s", entry.code, entry.attempt, origin, status, reason)


def _clean(text: str) -> str:
    """The text without NUL characters, which PostgreSQL refuses."""
    return text.replace("\0", "")


def _start_values(worker: str) -> dict[str, Any]:
    """What the start of a first attempt writes."""
    now = timezone.now()
    return {
        "status": Status.RUNNING,
        "attempt": 1,
        "worker_ids": [worker],
        "started_at": now,
        "last_attempted_at": now,
        "lease_until": _lease_end(),
        "progress": None,
        "message": "",
        "reason": Reason.NONE,
        "slot": None,
    }


def _lease_end() -> Any:
    return Now() + timedelta(seconds=conf.LEASE)


class EntryFile(models.Model):
    """A file that an attempt made for the visitor."""

    entry = models.ForeignKey(Entry, models.CASCADE, related_name="files")
    attempt = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=200)
    content_type = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField()
    file = models.FileField(upload_to=file_path, max_length=300)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["entry", "attempt", "name"], name="entryfile_name")]

    def __str__(self) -> str:
        return self.name


class EntryEvent(models.Model):
    """A line of an entry's timeline that the row itself does not tell: held, back, a start, a dead worker."""

    class Kind(models.TextChoices):
        HELD = "held", "Held"
        BACK = "back", "Back in place"
        STARTED = "started", "Started"
        PROGRESS = "progress", "Progress"
        ORPHANED = "orphaned", "Worker died"
        KEPT = "kept", "Asked to keep the place"
        RESTORED = "restored", "Place restored"

    entry = models.ForeignKey(Entry, models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=10, choices=Kind)
    detail = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.get_kind_display()} {self.detail}".strip()
