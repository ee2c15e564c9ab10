"""Joining a line: from the page (`join`, `join_again`) or from code (`enqueue`).

A visitor's entry is unseen until somebody looks at its page (`look`); only then is it in the line.

The row comes first. Its place in Redis follows the commit; if Redis is away then, the keeper repairs it.
"""

import errno
import logging
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import Any

from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.tasks import Task
from django.tasks.signals import task_enqueued
from django.utils.crypto import salted_hmac
from django.utils.json import normalize_json

from queueing.conf import conf
from queueing.exceptions import CodeTaken, LineClosed, LineFull, RedisAway, StorageFull, TooManyWaiting, UnusableInput
from queueing.line import presence
from queueing.line.clients import RedisError
from queueing.line.places import get_line
from queueing.models import Entry, input_path
from queueing.models.trouble import DATABASE_ERRORS
from queueing.registry import HeavyTask
from queueing.results import result_of

logger = logging.getLogger("queueing")


@dataclass(frozen=True, slots=True)
class Owner:
    """The visitor that makes an entry: the name in the browser's session, the user, and the network."""

    visitor: uuid.UUID
    user: Any = None  # may be an anonymous one
    address: str = ""  # a key of `web/address.py`; empty: no limits by address

    def columns(self) -> dict[str, Any]:
        """The columns of the row that name the owner."""
        known = self.user if self.user is not None and self.user.is_authenticated else None
        return {"visitor": self.visitor, "user": known, "address": self.address}


def join(
    heavy_task: HeavyTask,
    *,
    code: uuid.UUID,
    owner: Owner,
    upload: "File[bytes]",
    content_type: str,
    options: dict[str, Any],
) -> Entry:
    """A visitor takes a place. Sending the same form twice yields one entry.

    Raises LineClosed, LineFull, RedisAway, StorageFull or TooManyWaiting; then nothing is stored.
    """
    entry = Entry(
        code=code,
        queue=heavy_task.name,
        task_path=heavy_task.task.module_path,
        kwargs=normalize_json(options),
        priority=heavy_task.task.priority,
        **owner.columns(),
    )
    return _take_place(entry, upload, content_type)


def join_again(entry: Entry, owner: Owner) -> Entry:
    """A new entry with the same input: at the end of the line, or in the old place if our machines lost the first one.

    Raises as `join`, or UnusableInput if the input is gone.
    """
    try:
        content = entry.input.storage.open(str(entry.input.name)) if entry.input else None
    except FileNotFoundError:
        content = None
    if content is None:
        raise UnusableInput("Your input is no longer stored. Please hand it in again.")
    new = Entry(
        code=_next_code(entry),
        queue=entry.queue,
        task_path=entry.heavy_task.task.module_path,
        kwargs=entry.kwargs,
        priority=entry.heavy_task.task.priority,
        place=(entry.place or entry.id) if entry.keeps_place_for_successor else None,
        **owner.columns(),
    )
    with content:
        upload = File(content.file, name=entry.input_name)
        upload.size = content.size
        successor = _take_place(new, upload, entry.input_type)
    Entry.objects.filter(pk=entry.pk, followed_by=None).update(followed_by=successor)
    return successor


def enqueue(task: "Task[..., Any]", args: list[Any], kwargs: dict[str, Any], *, needs_presence: bool) -> Entry:
    """An entry without a visitor, from code. A full line does not refuse it, and Redis may be away."""
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


def check_line(queue: str) -> None:
    """Raises LineClosed, LineFull or RedisAway when the line takes nobody in."""
    if conf.is_closed(queue):
        raise LineClosed
    try:
        length = get_line(queue).length()
    except RedisError as error:
        raise RedisAway from error
    if length >= conf.MAX_LINE:
        raise LineFull


def check_visitor(visitor: uuid.UUID | None) -> None:
    """Raises TooManyWaiting when the visitor holds as many places as allowed."""
    if visitor is not None and next(_free_slots(visitor), None) is None:
        raise TooManyWaiting


def look(entry: Entry, seconds: float) -> None:
    """The owner looks at a live entry, which is present for so many seconds. The first look puts it into the line.

    Raises RedisError; the row knows of the look all the same. Raises ValueError for more seconds than a presence lasts.
    """
    if seconds > presence.longest_presence():
        raise ValueError(f"A look counts for at most {presence.longest_presence():.0f} s")
    try:
        presence.beat(entry.queue, [entry.job_id], seconds)
    finally:  # the row comes last: an idle worker starts meanwhile
        if entry.seen_at is None:
            _note_look(entry)


def _note_look(entry: Entry) -> None:
    """A database that takes no writes does not keep the page back: the next look is noted."""
    try:
        entry.see()
    except DATABASE_ERRORS:
        logger.warning("The first look at entry %s is not noted", entry.code, exc_info=True)


def place(entry: Entry) -> None:
    """Give a waiting row its place. An error is logged; the keeper does it again from the row."""
    try:
        get_line(entry.queue).place(entry.job_id, entry.score, needs_presence=entry.needs_presence)
    except RedisError:
        logger.exception("entry %s has no place yet; the keeper will give it one", entry.code)


def _take_place(entry: Entry, upload: "File[bytes]", content_type: str) -> Entry:
    """Store a new entry with its input, and return it, or the live one that was made from the same form before."""
    try:
        _store_in_reserved_place(entry, upload, content_type)
    except (CodeTaken, LineFull) as refusal:
        twin = Entry.objects.filter(code=entry.code, visitor=entry.visitor).first()
        if twin is not None and twin.is_live and _has_input(twin, upload):
            return twin
        if isinstance(refusal, LineFull):
            raise
        # The form was used before for another file, or its entry has ended: this is a wish of its own.
        entry.code = uuid.uuid4()
        _store_in_reserved_place(entry, upload, content_type)
    return entry


def _store_in_reserved_place(entry: Entry, upload: "File[bytes]", content_type: str) -> None:
    """Raises as `join`, or CodeTaken; then nothing is stored and no place is reserved."""
    if conf.is_closed(entry.queue):
        raise LineClosed
    line = get_line(entry.queue)
    try:
        if not line.reserve(entry.job_id):
            raise LineFull
    except RedisError as error:
        raise RedisAway from error
    try:
        _store(entry, upload, content_type)
    except BaseException:
        with suppress(RedisError):
            line.cancel_reservation(entry.job_id)
        raise


def _store(entry: Entry, upload: "File[bytes]", content_type: str) -> None:
    """The input, then the row. Raises CodeTaken, StorageFull or TooManyWaiting; then nothing is stored."""
    entry.input_name = PurePath(upload.name or "input").name[-200:]
    entry.input_size = upload.size or 0
    entry.input_type = content_type.replace("\0", "")[:100]
    # A name of its own: a second form with the same code must not touch the input of the first.
    name = f"input-{uuid.uuid4().hex[:8]}{PurePath(entry.input_name).suffix[:10]}"
    try:
        entry.input.save(name, upload, save=False)
        _insert(entry)
    except OSError as error:
        _discard_input(entry, name)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            logger.exception("The storage is full")
            raise StorageFull from error
        raise
    except BaseException:
        _discard_input(entry, name)
        raise


def _discard_input(entry: Entry, name: str) -> None:
    """Delete what was stored of the input, also when the disk was full before its end."""
    stored = entry.input.name or input_path(entry, name)
    entry.input.storage.delete(stored)
    with suppress(OSError):  # a folder of its own, unless the storage has none
        entry.input.storage.delete(str(PurePath(stored).parent))


def _insert(entry: Entry) -> None:
    """The row; the place follows the commit. Raises CodeTaken or TooManyWaiting.

    Insert first and check only on conflict: conflicts are rare, and each check costs as much as the insert.
    """
    for slot in _slots(entry.visitor):
        entry.slot = slot
        try:
            with _savepoint():
                entry.save(force_insert=True)
        except IntegrityError:
            if Entry.objects.filter(code=entry.code).exists():
                raise CodeTaken from None
        else:
            logger.info("entry %s joined %s", entry.code, entry.queue)
            transaction.on_commit(partial(_after_commit, entry))
            return
    raise TooManyWaiting


def _slots(visitor: uuid.UUID | None) -> Iterator[int | None]:
    """The slots that a new entry may try, each once. The first one is free for nearly everybody, so nothing is read."""
    if visitor is None:
        yield None
        return
    yield 0
    yield from _free_slots(visitor)


def _free_slots(visitor: uuid.UUID) -> Iterator[int]:
    taken = set(Entry.objects.waiting().filter(visitor=visitor).values_list("slot", flat=True))
    return (slot for slot in range(conf.MAX_WAITING_PER_VISITOR) if slot not in taken)


def _savepoint() -> AbstractContextManager[None]:
    """A savepoint inside of the caller's transaction, which a refusal must leave usable. An insert alone needs none."""
    return transaction.atomic() if transaction.get_connection().in_atomic_block else nullcontext()


def _after_commit(entry: Entry) -> None:
    place(entry)
    result = result_of(entry)
    task_enqueued.send_robust(type(result.task.get_backend()), task_result=result)


def _next_code(entry: Entry) -> uuid.UUID:
    """The code of the entry that follows this one: the same each time, so that two clicks make one entry."""
    digest = salted_hmac("queueing.joining.join_again", entry.code.hex, algorithm="sha256").digest()
    return uuid.UUID(bytes=digest[:16], version=4)


def _has_input(entry: Entry, upload: "File[bytes]") -> bool:
    """True if the entry was made from this very content: then a form was sent twice."""
    try:
        kept = entry.input.storage.open(str(entry.input.name))
    except FileNotFoundError:
        return False
    with kept:
        same = kept.size == upload.size and all(a == b for a, b in zip(kept.chunks(), upload.chunks(), strict=True))
    upload.seek(0)
    return same
