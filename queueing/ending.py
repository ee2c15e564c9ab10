"""Ending an entry, and bringing it back to its place.

The row moves first, then Redis is told, then the pages. Redis may be away after the row: the keeper repairs it.
"""

import logging
import math
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from itertools import batched

from django.dispatch import receiver
from django.tasks.signals import task_finished

from queueing import events, inputs
from queueing.conf import conf
from queueing.exceptions import KeepRefused
from queueing.line import presence, workers
from queueing.line.clients import RedisError, told
from queueing.line.places import get_line
from queueing.line.queue import emptied
from queueing.logs import about, about_line
from queueing.models import Entry, EntryEvent
from queueing.models.moves import clean
from queueing.results import result_of, task_of
from queueing.signals import entry_finished
from queueing.states import Absence, Reason, Status

logger = logging.getLogger("queueing")

ORPHANED_SENTENCE = "The machine working on this stopped unexpectedly, more than once."

# Ending


def leave(entry: Entry, reason: Reason = Reason.LEFT) -> bool:
    """The visitor leaves the line or stops the task, or staff end it. False: the entry had ended already."""
    has_ended = was_running = False
    while entry.is_live and not has_ended:
        was_running = entry.status == Status.RUNNING
        if not (has_ended := entry.cancel(reason)):
            entry.refresh_from_db()  # somebody else was first: a start, or the end
    _clear_line(entry)
    events.publish(entry.code)
    if has_ended and not was_running:  # of a running one, the worker tells
        entry_finished.send_robust(entry.queue, entry=entry)
    return has_ended


def drop(queue: str, job_ids: Iterable[str], absence: Absence) -> int:
    """End these entries, which were held or unseen for too long. Returns the number of rows that moved.

    Nobody is there to see it, so no hint is sent.
    """
    ids = list(job_ids)
    rows = Entry.objects.of_jobs(ids)
    if absence == Absence.UNSEEN:
        rows = rows.filter(seen_at=None)  # the keeper gives the others a place: Redis did not hear of their look
    dropped = rows.abandon(Reason(absence))
    get_line(queue).delete_jobs(ids)
    fields = about_line(queue, event="drop", reason=str(absence), count=dropped)
    logger.info("%s: dropped %d entries (%s)", queue, dropped, absence, extra=fields)
    return dropped


def finish(entry: Entry) -> None:
    """A started entry has reached a final status: clear Redis, tell the pages and the listeners of django.tasks."""
    _clear_line(entry)
    events.publish(entry.code)
    workers.note_end(entry.queue, entry.worker_ids[-1:], entry.status)
    entry_finished.send_robust(entry.queue, entry=entry)
    try:
        task_finished.send_robust(type(task_of(entry).get_backend()), task_result=result_of(entry))
    except ImportError:
        sentence = "entry %s: the code that this process has loaded has no task %s; if the code is newer, restart it"
        logger.warning(sentence, entry.code, entry.task_path)


def _clear_line(entry: Entry) -> None:
    line = get_line(entry.queue)
    try:
        if entry.attempt == 0:
            line.remove(entry.job_id)
        else:  # the job belongs to RQ until its horse has ended
            line.remove_but_job(entry.job_id)
    except RedisError as error:
        logger.warning("entry %s has ended; the keeper will clear its place: %s", entry.code, told(error))


@receiver(emptied)
def cancel_emptied(queue: str, job_ids: list[str], **_: object) -> None:
    """Somebody emptied the queue with RQ's tools: the rows end first, or the keeper would bring them back."""
    for batch in batched(job_ids, 500):
        for entry in Entry.objects.of_jobs(batch).waiting():
            if entry.cancel(Reason.ENDED):
                entry_finished.send_robust(entry.queue, entry=entry)


def erase(entry: Entry) -> bool:
    """Delete the content of an ended entry: its name, options, result, files, errors, and its right to the input.

    A bare row stays for the books: status, reason, times, line. False: the entry is live, or this was done before; a
    repetition finishes what an interrupted one has left. Files come first: after an error of the storage (OSError) the
    page still offers to delete, and a row that says "deleted" has no files. Not in a transaction, see `inputs.release`.
    """
    if entry.is_live:
        return False
    inputs.release([entry.pk])
    inputs.delete_folder(entry.code)
    entry.files.all().delete()
    entry.events.filter(kind=EntryEvent.Kind.PROGRESS).update(detail="")
    erased = bool(Entry.objects.filter(pk=entry.pk).erase())
    if erased:
        logger.info("entry %s: its content is deleted", entry.code, extra=about(entry, event="erase"))
        events.publish(entry.code)
    return erased


# Coming back


def check_keep(entry: Entry) -> None:
    """Raises KeepRefused unless the entry's page has been open for MIN_PRESENCE without a gap.

    A page counts as open for POLL_TTL after one look. A place that is kept for KEEP_GRACE has to cost more than that.
    """
    if not conf.MIN_PRESENCE or not entry.is_live:
        return
    with suppress(RedisError):  # nobody is dropped meanwhile, so the wish does no harm
        if presence.present_for(entry.queue, entry.job_id) < conf.MIN_PRESENCE:
            seconds = round(conf.MIN_PRESENCE)
            raise KeepRefused(f"Your place can be kept once this page has been open for {seconds} seconds.")


def keep(entry: Entry) -> bool:
    """Keep the place for KEEP_GRACE in an absence. False: the task does not allow it, or the row does not wait."""
    if not entry.heavy_task.may_keep or not entry.keep(round(conf.KEEP_GRACE)):
        return False
    try:
        get_line(entry.queue).set_terms(entry.job_id, keep=conf.KEEP_GRACE)
    except RedisError as error:
        logger.warning("entry %s: the longer hold will follow with the place: %s", entry.code, told(error))
    EntryEvent.objects.create(entry=entry, kind=EntryEvent.Kind.KEPT)
    events.publish(entry.code)
    return True


def release(entry: Entry, worker: str) -> str:
    """A claim that was not started goes back to its place. With worker "" there is no claim: its worker has died.

    Returns "line", "held", or "" when the claim is not this worker's any more.
    """
    line = get_line(entry.queue)
    line.set_terms(entry.job_id, keep=entry.keep_seconds, always_present=entry.needs_nobody)
    return line.release(worker, entry.job_id, entry.score)


def put_off(entry: Entry, why: str) -> None:
    """The task of this entry is tried again later: it has moved to waiting, and keeps its place in the row.

    Its presence in Redis is left as it is: pages go on beating, and one that goes leaves its note. Both count when the
    time has come (`keeper/later.py`).
    """
    EntryEvent.objects.create(entry=entry, kind=EntryEvent.Kind.RETRIED, detail=clean(why)[:200])
    try:
        get_line(entry.queue).end_run(entry.job_id)
    except RedisError as error:
        logger.warning("entry %s counts as running until the keeper looks: %s", entry.code, told(error))
    events.publish(entry.code)


def settle_orphan(entry: Entry, detail: str, *, overdue: bool = False) -> bool:
    """The worker of a running attempt died: the entry goes back to its place, or fails after the last attempt.

    With `overdue`, only if the lease is over at this very moment. False: somebody else was first.
    """
    if entry.deaths >= conf.MAX_ATTEMPTS:
        moved = entry.fail_orphan(ORPHANED_SENTENCE, detail, overdue=overdue)
        if moved:
            finish(entry)
        return moved
    moved = entry.requeue_orphan(overdue=overdue)
    if moved:
        EntryEvent.objects.create(entry=entry, kind=EntryEvent.Kind.ORPHANED, detail=detail[:200])
        try:  # the claim may still be there, when the worker died right after the start
            if not release(entry, entry.worker_ids[-1]):
                release(entry, "")
        except RedisError as error:
            logger.warning("entry %s has no place until the keeper looks: %s", entry.code, told(error))
        events.publish(entry.code)
    return moved


def settle_orphans(*, until: float = math.inf, without: Collection[str] = ()) -> int:
    """The running entries whose worker gave no sign of life, longest ago first; returns the number that moved.

    Stops after the entry in which the monotonic clock reaches `until`. Entries of the lines in `without` wait: their
    Redis is away, and the others need not wait for that.
    """
    moved = 0
    over = Entry.objects.lease_over().exclude(queue__in=without) if without else Entry.objects.lease_over()
    for entry in over.order_by("lease_until"):
        moved += settle_orphan(entry, "The lease ran out.", overdue=True)
        if time.monotonic() >= until:
            break
    return moved
