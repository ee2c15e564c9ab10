"""Entries with their input.

A row moves by one compare-and-swap UPDATE per verb. False (or None) from a verb means that another process was first,
and the caller stops. `attempt` is the fencing token: a worker that lost its entry to a later attempt cannot write.
"""

import uuid
from collections.abc import Sequence
from contextlib import nullcontext
from copy import copy
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.tasks import DEFAULT_TASK_BACKEND_ALIAS
from django.utils import timezone

from queueing import site_time, traces
from queueing.exceptions import IllegalMove
from queueing.models.files import EntryFile, input_path
from queueing.models.indexes import CONSTRAINTS, INDEXES
from queueing.models.memory import Counted
from queueing.models.moves import (
    PRIORITY_STEP,
    clean,
    input_end,
    lease_end,
    lease_time,
    log_move,
    lost_time,
    note_once,
    run_time,
    start_values,
    time_in,
)
from queueing.models.queryset import EntryQuerySet
from queueing.registry import HeavyTask, all_tasks, get_task
from queueing.states import BLAME, FINAL, LIVE, MOVES, Blame, Reason, Status
from queueing.values import Decoder, Encoder


class Entry(models.Model):
    """One visitor's place in a line."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    queue = models.CharField(max_length=100)
    task_path = models.CharField(max_length=200)
    args = models.JSONField(default=list, encoder=Encoder, decoder=Decoder)
    kwargs = models.JSONField(default=dict, encoder=Encoder, decoder=Decoder)
    # The alias in settings.TASKS of the backend that the task was enqueued with.
    backend = models.CharField(
        max_length=100, default=DEFAULT_TASK_BACKEND_ALIAS, db_default=DEFAULT_TASK_BACKEND_ALIAS
    )
    # The time before which a waiting entry is in no line, by the database's clock (`keeper/later.py`): it is put off.
    not_before = models.DateTimeField(null=True, blank=True)
    # The input under a name of ours; and its name and type as the browser gave them, which are never trusted.
    input = models.FileField(upload_to=input_path, max_length=300, blank=True)
    input_name = models.CharField(max_length=200, blank=True)
    input_type = models.CharField(max_length=100, blank=True)
    # The bytes of the input. 0 if another row that names the same input answers for them: see `inputs.py`.
    input_size = models.PositiveBigIntegerField(default=0, editable=False)
    # The time until which the input of an ended entry is kept, by the database's clock.
    input_until = models.DateTimeField(null=True, blank=True, editable=False)
    # -100..100 as in django.tasks; higher goes first.
    priority = models.SmallIntegerField(default=0)
    # True: has the lowest priority, because many places in the line were of the same address. See `crowding.py`.
    behind = models.BooleanField(default=False, db_default=False, editable=False)

    # The owner: a random name kept in the browser's session, or a user, or nobody (enqueued by code).
    visitor = models.UUIDField(null=True, blank=True, db_index=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    # The network that the visitor came from at joining, as a keyed digest; empty for none. See `web/address.py`.
    address = models.CharField(max_length=16, blank=True, editable=False)
    # The number of this place among the visitor's MAX_WAITING_PER_VISITOR, while the entry waits or runs.
    slot = models.PositiveSmallIntegerField(null=True, editable=False)
    # The trace that the join's request was part of, or "": see `traces.py`.
    traceparent = models.CharField(max_length=traces.LONGEST, blank=True, default="", db_default="", editable=False)
    needs_presence = models.BooleanField(default=True)
    # The first look at the entry's page by its owner. An unseen entry is in no line.
    seen_at = models.DateTimeField(null=True, blank=True)
    # The place in the line; None: the entry's own id. A successor has the place of the entry that our machines lost.
    place = models.BigIntegerField(null=True, blank=True, editable=False)
    # The place before staff put the entry first; None: they did not. Putting it back restores this place.
    moved_from = models.BigIntegerField(null=True, blank=True, editable=False)
    # The entry that "Join again", or a retry by staff, made of this one.
    followed_by = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="follows")
    # Seconds the place is kept in an absence, when the visitor asked for more than the usual.
    keep_seconds = models.PositiveIntegerField(null=True, blank=True)

    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING)
    reason = models.CharField(max_length=10, choices=Reason, default=Reason.NONE, blank=True)
    joined_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    last_attempted_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    # The owner's first look at the end: at the result, or at the sentence that says why there is none.
    end_seen_at = models.DateTimeField(null=True, blank=True)
    # Run time of the attempt that ended the entry; and the earlier attempts, which ended with their workers.
    run_time = models.DurationField(null=True, blank=True)
    lost_time = models.DurationField(null=True, blank=True)

    attempt = models.PositiveSmallIntegerField(default=0)
    # Number of the attempts that ended with an exception after which the task is tried again.
    retries = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    worker_ids = models.JSONField(default=list, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    progress = models.FloatField(null=True, blank=True)
    # The stage of this entry on its way into the minutes of its line. See `history/`.
    counted = models.SmallIntegerField(choices=Counted, default=Counted.NOTHING, db_default=0, editable=False)
    # One sentence for the visitor: what happens now, or why it failed.
    message = models.CharField(max_length=300, blank=True)

    result = models.JSONField(null=True, blank=True)
    files_size = models.PositiveBigIntegerField(default=0, editable=False)  # bytes of the result's files
    # For staff, and for the TaskResult of django.tasks.
    error_class = models.CharField(max_length=200, blank=True)
    traceback = models.TextField(blank=True)
    # The owner or staff deleted the content of the ended entry.
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = EntryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "entries"
        indexes = INDEXES
        constraints = CONSTRAINTS
        permissions = [("view_entry_content", "Can see inputs, results and files of entries")]

    def __str__(self) -> str:
        return f"{self.queue} {self.code}"

    @property
    def job_id(self) -> str:
        """The id of this entry's RQ job."""
        return self.code.hex

    @property
    def trace_id(self) -> str:
        """The id by which all log lines about this entry are found, and those of the request that made it."""
        return traces.trace_id(self.trace)

    @property
    def trace(self) -> str:
        """The trace of this entry, as a traceparent."""
        return traces.of_entry(self.traceparent, self.code)

    @property
    def score(self) -> int:
        """The number that sorts the line: the place within a priority. Exact in a double up to 2**53."""
        return (self.place or self.id) - self.priority * PRIORITY_STEP

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def is_unseen(self) -> bool:
        """True if the entry needs presence, and its owner has not looked at its page yet."""
        return self.needs_presence and self.seen_at is None

    @property
    def keeps_place_for_successor(self) -> bool:
        """True if our machines lost this entry, and nobody has joined again with its input and its place yet."""
        return (
            self.status == Status.FAILED
            and BLAME.get(Reason(self.reason)) == Blame.MACHINE
            and (self.place is None or self.moved_from == self.id)
            and self.followed_by_id is None
        )

    @property
    def has_result(self) -> bool:
        """True if there is a result to show."""
        return self.status == Status.SUCCEEDED and self.erased_at is None

    @property
    def may_join_again(self) -> bool:
        """True after an end that another attempt with the same input may change."""
        is_hopeless = self.reason in (Reason.UNUSABLE, Reason.CRASHED)
        return self.status in FINAL and self.status != Status.SUCCEEDED and not is_hopeless

    @property
    def needs_nobody(self) -> bool:
        """True if the entry may run without a visitor: code made it, or it was started and its task finishes anyway.

        A task that is tried again after its own failure asks for its visitor once more.
        """
        return self.needs_nobody_after(self.attempt)

    def needs_nobody_after(self, starts: int) -> bool:
        """The same, of an entry that was started so many times."""
        return not self.needs_presence or (starts > 0 and not self.retries and not self.stops_on_leave)

    @property
    def is_put_off(self) -> bool:
        """True for a waiting entry that is in no line until its time comes."""
        return self.status == Status.WAITING and self.not_before is not None

    @property
    def deaths(self) -> int:
        """The number of attempts that ended with their workers, and of the one that runs."""
        return self.attempt - self.retries

    @property
    def stops_on_leave(self) -> bool:
        """True if the entry's task ends when the visitor has been away for too long."""
        heavy_task = all_tasks().get(self.queue)
        return self.needs_presence and (heavy_task is None or heavy_task.stops_on_leave)

    @property
    def heavy_task(self) -> HeavyTask:
        return get_task(self.queue)

    # Moves, and what is noted in between. Each move is logged once, by `log_move`.

    def start(self, worker: str) -> bool:
        """waiting -> running: a worker takes the lease for a new attempt."""
        values = start_values([*self.worker_ids, worker], site_time.now(), lease_time()) | {"attempt": self.attempt + 1}
        if self.started_at:
            del values["started_at"]
        return self._move(values.pop("status"), **values)

    def renew_lease(self) -> bool:
        """Renew the lease of this attempt. False: the attempt is no longer this worker's to run."""
        return bool(self._unmoved().update(lease_until=lease_end()))

    def report(self, progress: float, message: str) -> bool:
        """Write the progress of the running attempt. False: the attempt is no longer this worker's to run."""
        return bool(self._unmoved().update(progress=progress, message=clean(message)[:300]))

    def succeed(self, result: Any, files: Sequence[EntryFile] = ()) -> bool:
        """running -> succeeded, with the result's files in the same transaction."""
        before = dict(self.__dict__)
        try:
            # One UPDATE is a transaction of its own.
            with transaction.atomic() if files else nullcontext():
                size = sum(file.size for file in files)
                values = {"result": result, "files_size": size, "progress": 1.0, "message": ""}
                moved = self._finish(Status.SUCCEEDED, Reason.NONE, **values)
                if moved and files:
                    # Copies: after a rollback another entry may take the ids that these get.
                    EntryFile.objects.bulk_create(map(copy, files))
        except BaseException:
            self.__dict__ = before  # the move was rolled back
            raise
        return moved

    def fail(self, reason: Reason, message: str = "", *, error_class: str = "", traceback: str = "") -> bool:
        """running -> failed; the message is for the visitor, the rest for staff."""
        return self._finish(
            Status.FAILED,
            reason,
            message=clean(message)[:300],
            error_class=clean(error_class)[:200],
            traceback=clean(traceback),
        )

    def cancel(self, reason: Reason = Reason.LEFT) -> bool:
        """waiting or running -> cancelled: by the visitor, or by staff. The last word of the task goes."""
        return self._finish(Status.CANCELLED, reason, message="")

    def abandon(self, reason: Reason) -> bool:
        """waiting or running -> abandoned: the visitor was absent for too long."""
        return self._finish(Status.ABANDONED, reason, message="")

    def requeue_orphan(self, *, overdue: bool = False) -> bool:
        """running -> waiting, in its old place: the worker of this attempt died.

        With `overdue`, only if the lease is still over: the worker may have renewed it after the caller read the row.
        """
        values = {"reason": Reason.ORPHANED, "lease_until": None, "progress": None, "message": ""}
        return self._move(Status.WAITING, overdue=overdue, lost_time=lost_time(self), **values)

    def fail_orphan(self, message: str, traceback: str, *, overdue: bool = False) -> bool:
        """running -> failed: the worker of the last attempt died. For `overdue` see `requeue_orphan`."""
        return self._finish(Status.FAILED, Reason.ORPHANED, overdue=overdue, message=message, traceback=traceback)

    def try_again_in(self, seconds: float) -> bool:
        """running -> waiting, put off, with the old place: the task raised one of its `retry_on`."""
        values: dict[str, Any] = {"lease_until": None, "progress": None, "message": "", "retries": self.retries + 1}
        return self._move(Status.WAITING, not_before=time_in(seconds), lost_time=lost_time(self), **values)

    def undo_start(self) -> bool:
        """running -> waiting, with one start less: the visitor left while the start was under way."""
        return self._move(
            Status.WAITING,
            attempt=self.attempt - 1,
            worker_ids=self.worker_ids[:-1],
            started_at=self.started_at if self.attempt > 1 else None,
            lease_until=None,
        )

    def see(self) -> bool:
        """Note the first look at the page. False: this look is not the first."""
        return note_once(self, "seen_at")

    def see_end(self) -> bool:
        """Note the owner's first look at the end. False: this look is not the first, or the entry is live."""
        return not self.is_live and note_once(self, "end_seen_at")

    def keep(self, seconds: int) -> bool:
        """Keep the place for longer in an absence."""
        unkept = Entry.objects.waiting().filter(pk=self.pk, keep_seconds=None)
        return bool(unkept.update(keep_seconds=seconds))

    def put_first(self) -> bool:
        """Take the place ahead of all in this line. False: the entry is first, or does not wait any more.

        Entries that are put off are in no line.
        """
        first = Entry.objects.waiting().due().filter(queue=self.queue).in_order().first()
        if first is None or first.pk == self.pk:
            return False
        place = first.score - 1 + self.priority * PRIORITY_STEP
        return self._take_place(place or -1, moved_from=self.moved_from or self.place or self.id)  # 0 is no place

    def put_back(self) -> bool:
        """Take the place that the entry had before `put_first`. False: it has it, or does not wait any more."""
        if self.moved_from is None:
            return False
        return self._take_place(None if self.moved_from == self.id else self.moved_from, moved_from=None)

    def _take_place(self, place: int | None, *, moved_from: int | None) -> bool:
        """As `_move`, within the status: the place must be the one that this object has read."""
        unmoved = Entry.objects.waiting().filter(pk=self.pk, place=self.place)
        if not unmoved.update(place=place, moved_from=moved_from):
            return False
        self.place, self.moved_from = place, moved_from
        return True

    def _finish(self, status: Status, reason: Reason, *, overdue: bool = False, **values: Any) -> bool:
        now = site_time.now()
        values |= {"reason": reason, "finished_at": now, "input_until": input_end(), "lease_until": None, "slot": None}
        if self.status == Status.RUNNING:
            values["run_time"] = run_time(self, now)
        return self._move(status, overdue=overdue, **values)

    def _move(self, to: Status, *, overdue: bool = False, **values: Any) -> bool:
        """One compare-and-swap from the status and attempt that this object has read.

        On success this object has the new values. False: the entry has ended, or another process moved it first. Raises
        IllegalMove for a move that is not in MOVES.

        Times shown to people are by the clock of this process (`site_time.py`). Only `lease_until` is by the database's
        clock, because many processes compare it; the next access reads it from the database.
        """
        origin = Status(self.status)
        if origin in FINAL:
            return False
        if to not in MOVES[origin]:
            raise IllegalMove(f"An entry cannot move from {origin} to {to}.")
        rows = self._unmoved(origin).lease_over() if overdue else self._unmoved(origin)
        if to == Status.RUNNING:
            rows = rows.due()
        if not rows.update(status=to, **values):
            return False
        for name, value in ({"status": to} | values).items():
            if isinstance(value, models.expressions.Combinable):
                self.__dict__.pop(name, None)  # the database made this value
            else:
                setattr(self, name, value)
        log_move(self, origin)
        return True

    def _unmoved(self, status: Status = Status.RUNNING) -> EntryQuerySet:
        """This row, if it still has that status and the attempt that this object has read."""
        return Entry.objects.filter(pk=self.pk, status=status, attempt=self.attempt)
