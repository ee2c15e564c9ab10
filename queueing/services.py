"""What can be done with an entry: join, leave, keep, join again, drop, orphan, purge.

The row first, then Redis, then the hint. Redis may be away after the row: the keeper repairs what is missing.
"""

import logging
import uuid
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import PurePath
from typing import Any

from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.dispatch import receiver
from django.tasks import Task
from django.tasks.signals import task_enqueued, task_finished
from django.utils.crypto import salted_hmac
from django.utils.json import normalize_json

from queueing import events
from queueing.conf import conf
from queueing.exceptions import DoorsClosed, LineFull, RedisAway, TooManyWaiting, UnusableInput
from queueing.keys import RedisError
from queueing.line import emptied, get_line
from queueing.models import Entry, EntryEvent
from queueing.presence import Cause
from queueing.results import result_of, task_of
from queueing.states import Reason
from queueing.tasks import HeavyTask

logger = logging.getLogger("queueing")

ORPHANED_SENTENCE = "The machine working on this stopped unexpectedly, more than once. Your input was kept."


# Joining


def join(
    heavy_task: HeavyTask,
    *,
    code: uuid.UUID,
    visitor: uuid.UUID,
    user: Any = None,
    upload: "File[bytes]",
    content_type: str,
    options: dict[str, Any],
) -> Entry:
    """A visitor takes a place. The same form sent twice gets the same entry.

    Raises DoorsClosed, LineFull, RedisAway or TooManyWaiting; then nothing is stored.
    """
    check_doors(heavy_task.name)
    entry = Entry(
        code=code,
        queue=heavy_task.name,
        task_path=heavy_task.task.module_path,
        kwargs=normalize_json(options),
        priority=heavy_task.task.priority,
        visitor=visitor,
        user=user if user is not None and user.is_authenticated else None,
    )
    while not _store(entry, upload, content_type):
        twin = Entry.objects.filter(code=entry.code, visitor=visitor).first()
        if twin is not None and twin.is_live and _same_input(twin, upload):
            return twin
        entry.code = uuid.uuid4()  # the form's code is used up
    return entry


def join_again(entry: Entry, *, visitor: uuid.UUID, user: Any = None) -> Entry:
    """A new place at the end of the line, with the same input. Raises as `join`, or UnusableInput if it is gone."""
    try:
        content = entry.input.storage.open(str(entry.input.name)) if entry.input else None
    except FileNotFoundError:
        content = None
    if content is None:
        raise UnusableInput("Your input is no longer stored. Please hand it in again.")
    with content:
        upload = File(content.file, name=entry.input_name)
        upload.size = content.size
        return join(
            entry.heavy_task,
            code=_next_code(entry),
            visitor=visitor,
            user=user,
            upload=upload,
            content_type=entry.input_type,
            options=entry.kwargs,
        )


def enqueue(task: "Task[..., Any]", args: list[Any], kwargs: dict[str, Any], *, needs_presence: bool) -> Entry:
    """An entry without a visitor, from code. It is not refused by a full line, and needs no Redis at the moment."""
    entry = Entry(
        queue=task.queue_name,
        task_path=task.module_path,
        args=normalize_json(args),
        kwargs=normalize_json(kwargs),
        priority=task.priority,
        needs_presence=needs_presence,
    )
    _insert(entry)
    return entry


def check_doors(queue: str) -> None:
    """Raises DoorsClosed, LineFull or RedisAway."""
    if queue in conf.CLOSED_LINES.replace(",", " ").split():
        raise DoorsClosed
    try:
        length = get_line(queue).length()
    except RedisError as error:
        raise RedisAway from error
    if length >= conf.MAX_LINE:
        raise LineFull


def place(entry: Entry) -> None:
    """Put a waiting row into the line. An error is logged; the keeper does it again from the row."""
    try:
        get_line(entry.queue).place(
            entry.job_id, entry.score, presence=conf.PRESENCE_TTL if entry.needs_presence else None
        )
    except RedisError:
        logger.exception("entry %s has no place yet; the keeper will give it one", entry.code)


def _store(entry: Entry, upload: "File[bytes]", content_type: str) -> bool:
    """The input, and the row. False, with nothing stored: there is an entry of that code. Raises TooManyWaiting."""
    entry.input_name = PurePath(upload.name or "input").name[-200:]
    entry.input_type = content_type.replace("\0", "")[:100]
    entry.input.save(f"input{PurePath(entry.input_name).suffix[:10]}", upload, save=False)
    is_stored = False
    try:
        is_stored = _insert(entry)
    finally:
        if not is_stored:
            entry.input.delete(save=False)
    return is_stored


def _insert(entry: Entry) -> bool:
    """The row; the place follows the commit. False: there is an entry of that code. Raises TooManyWaiting.

    Nothing is asked before: nearly always the code is new and the visitor has no other place, and each question
    would cost as much as the insert.
    """
    entry.slot = None if entry.visitor is None else 0
    for _ in range(conf.MAX_WAITING_PER_VISITOR + 3):
        try:
            with _savepoint():
                entry.save(force_insert=True)
        except IntegrityError:
            if Entry.objects.filter(code=entry.code).exists():  # the same form, a moment ago
                return False
            entry.slot = free_slot(entry.visitor)
        else:
            logger.info("entry %s joined %s", entry.code, entry.queue)
            transaction.on_commit(partial(_after_commit, entry))
            return True
    raise TooManyWaiting


def _savepoint() -> AbstractContextManager[None]:
    """One insert is a transaction by itself; inside of somebody else's, a refusal must leave that one usable."""
    return transaction.atomic() if transaction.get_connection().in_atomic_block else nullcontext()


def _after_commit(entry: Entry) -> None:
    place(entry)
    result = result_of(entry)
    task_enqueued.send_robust(type(result.task.get_backend()), task_result=result)


def free_slot(visitor: uuid.UUID | None) -> int | None:
    """Raises TooManyWaiting when the visitor holds as many places as allowed."""
    if visitor is None:
        return None
    taken = set(Entry.objects.waiting().filter(visitor=visitor).values_list("slot", flat=True))
    for slot in range(conf.MAX_WAITING_PER_VISITOR):
        if slot not in taken:
            return slot
    raise TooManyWaiting


def _next_code(entry: Entry) -> uuid.UUID:
    """The code of the place that follows this one: the same each time, so that two clicks make one entry."""
    digest = salted_hmac("queueing.services.join_again", entry.code.hex, algorithm="sha256").digest()
    return uuid.UUID(bytes=digest[:16], version=4)


def _same_input(entry: Entry, upload: "File[bytes]") -> bool:
    """Whether the entry was made from this very content: then it is a form sent twice, not a second wish."""
    try:
        kept = entry.input.storage.open(str(entry.input.name))
    except FileNotFoundError:
        return False
    with kept:
        same = kept.size == upload.size and all(a == b for a, b in zip(kept.chunks(), upload.chunks(), strict=True))
    upload.seek(0)
    return same


# Leaving and staying


def leave(entry: Entry, reason: Reason = Reason.LEFT) -> None:
    """The visitor says so, or staff: out of the line, or stop. Does nothing when the entry has ended."""
    while entry.is_live and not entry.cancel(reason):
        entry.refresh_from_db()  # somebody was first: a start, or the end
    _clear_place(entry)
    events.publish(entry.code)


def keep(entry: Entry) -> bool:
    """Keep the place for KEEP_GRACE in an absence, where the task allows it."""
    if not entry.heavy_task.may_keep or not entry.keep(round(conf.KEEP_GRACE)):
        return False  # not allowed, not waiting, or kept already
    try:
        get_line(entry.queue).recall(entry.job_id, keep=conf.KEEP_GRACE)
    except RedisError:
        logger.exception("entry %s: the longer hold will follow with the place", entry.code)
    EntryEvent.objects.create(entry=entry, kind=EntryEvent.Kind.KEPT)
    events.publish(entry.code)
    return True


# What the keeper and the workers decide


def drop(queue: str, job_ids: Iterable[str], cause: Cause) -> int:
    """Held for too long: these entries are over. No hint is sent, nobody is there to see it."""
    ids = list(job_ids)
    dropped = Entry.objects.of_jobs(ids).abandon(Reason(cause))
    line = get_line(queue)
    line.connection.delete(*(line.job_class.key_for(job_id) for job_id in ids))
    logger.info("%s: dropped %d entries (%s)", queue, dropped, cause)
    return dropped


def orphan(entry: Entry, detail: str, *, overdue: bool = False) -> bool:
    """The worker of a running attempt died: back to its place, or failed when that was the last attempt.

    With `overdue`, only if the lease is over at this very moment.
    """
    if entry.attempt >= conf.MAX_ATTEMPTS:
        moved = entry.lose(ORPHANED_SENTENCE, detail, overdue=overdue)
        if moved:
            ended(entry)
        return moved
    moved = entry.orphan(overdue=overdue)
    if moved:
        EntryEvent.objects.create(entry=entry, kind=EntryEvent.Kind.ORPHANED, detail=detail[:200])
        # The claim may still be there, when the worker died right after the start.
        if not release(entry, entry.worker_ids[-1]):
            release(entry, "")
        events.publish(entry.code)
    return moved


def recover_orphans() -> int:
    """Running entries whose worker gave no sign of life; the number that moved."""
    return sum(orphan(entry, "The lease ran out.", overdue=True) for entry in Entry.objects.lease_over())


def release(entry: Entry, worker: str) -> str:
    """A claim that was not started (or with "", an orphan) back to its place, with what the row says of presence."""
    line = get_line(entry.queue)
    line.recall(entry.job_id, keep=entry.keep_seconds, always_present=not entry.needs_presence)
    return line.release(worker, entry.job_id, entry.score)


def ended(entry: Entry) -> None:
    """An attempt that ran is over: clear Redis, tell the pages and django.tasks' listeners."""
    _clear_place(entry)
    events.publish(entry.code)
    try:
        task_finished.send_robust(type(task_of(entry).get_backend()), task_result=result_of(entry))
    except ImportError:
        logger.warning("entry %s: its task %s is no longer in the code", entry.code, entry.task_path)


def _clear_place(entry: Entry) -> None:
    line = get_line(entry.queue)
    try:
        # A job that was started belongs to RQ until its horse has ended.
        line.remove(entry.job_id) if entry.attempt == 0 else line.forget(entry.job_id)
    except RedisError:
        logger.exception("entry %s has ended; the keeper will clear its place", entry.code)


@receiver(emptied)
def cancel_emptied(queue: str, job_ids: list[str], **_: object) -> None:
    """Somebody emptied the queue with RQ's tools: the rows end first, or the keeper would bring them back."""
    for start in range(0, len(job_ids), 500):
        for entry in Entry.objects.of_jobs(job_ids[start : start + 500]).waiting():
            entry.cancel(Reason.ENDED)
