"""Joining a line: from the page (`join`) or from code (`enqueue`).

A visitor's entry is unseen until somebody looks at its page (`look`); only then is it in the line.

The row comes first. Its place in Redis follows the commit; if Redis is away then, the keeper repairs it.
"""

import logging
import uuid
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.tasks import Task
from django.tasks.signals import task_enqueued

from queueing import admission, crowding, site_time, slots
from queueing.exceptions import (
    CodeTaken,
    FormUsed,
    JoinRefused,
    LineClosed,
    LineFull,
    NotOpen,
    TooManyFromNetwork,
    TooManyJoins,
    TooManyUnseen,
    TooManyWaiting,
)
from queueing.inputs import Content, Look, Nothing, Upload
from queueing.line import presence
from queueing.line.clients import RedisError, told
from queueing.line.places import get_line
from queueing.line.reserving import Reservation
from queueing.logs import about
from queueing.models import Entry
from queueing.models.compiled import Insert
from queueing.models.trouble import DATABASE_ERRORS
from queueing.registry import HeavyTask
from queueing.results import result_of
from queueing.values import by_name, check_call, normalized_arguments

logger = logging.getLogger("queueing")

SAME_MOMENT = timedelta(minutes=1)  # between two requests with the same form of a browser that has no cookie yet
NEW_ROW: Insert[Entry] = Insert()
# The refusals that do not hold for a form which was sent before and has its entry.
TWIN_FIRST = (
    FormUsed,
    LineClosed,
    LineFull,
    NotOpen,
    TooManyJoins,
    TooManyUnseen,
    TooManyFromNetwork,
    TooManyWaiting,
    *admission.SPENT,
)


@dataclass(frozen=True, slots=True)
class Owner:
    """The visitor that makes an entry: the name in the browser's session, the user, the network, and the trace."""

    visitor: uuid.UUID | None  # None: nobody
    user: Any = None  # may be an anonymous one
    address: str = ""  # a key of `web/address.py`; empty: no limits by address
    traceparent: str = ""  # the trace that the join's request is part of; see `traces.py`
    # True for a browser that has never joined, and was shown the form: the entry of the form's code is its own.
    knows_form: bool = False

    def columns(self) -> dict[str, Any]:
        """The columns of the row that name the owner, and the request."""
        known = self.user if self.user is not None and self.user.is_authenticated else None
        return {"visitor": self.visitor, "user": known, "address": self.address, "traceparent": self.traceparent}


def join(
    heavy_task: HeavyTask,
    *,
    code: uuid.UUID,
    owner: Owner,
    upload: "File[bytes] | Content | None" = None,
    content_type: str = "",
    options: dict[str, Any] | Look,
    is_once: bool = False,
) -> Entry:
    """A visitor takes a place: with one file of this type, with several, or with nothing but the options.

    Sending the same form twice yields one entry; its `visitor` is the name that the first request brought. With
    `is_once` the code is good for one entry: another file with it is refused. A Look takes long, so it is asked for the
    options when nothing else stands in the way. Raises JoinRefused, or as the Look; then nothing is stored.
    """
    entry = Entry(
        code=code,
        queue=heavy_task.name,
        task_path=heavy_task.task.module_path,
        backend=heavy_task.task.backend,
        **owner.columns(),
    )
    look = None if isinstance(options, dict) else options
    if upload is None:  # the look costs nothing, and two forms with other options are two wishes
        options, look = options if look is None else look.options(), None
    if isinstance(options, dict):
        entry.kwargs = kwargs_of(heavy_task, options)
    content = Upload(upload, content_type) if isinstance(upload, File) else upload or Nothing(entry.kwargs)
    return take_place(entry, content, is_once=is_once, look=look, is_by_code=owner.knows_form)


def enqueue(task: "Task[..., Any]", args: list[Any], kwargs: dict[str, Any], *, needs_presence: bool) -> Entry:
    """An entry without a visitor, from code. A full line does not refuse it, and Redis may be away.

    Raises TypeError for an argument that cannot travel.
    """
    what = f"argument {{!r}} of {task.module_path}"
    is_later = task.run_after is not None and task.run_after > site_time.now()
    entry = Entry(
        queue=task.queue_name,
        task_path=task.module_path,
        backend=task.backend,
        args=list(normalized_arguments(by_name(task, args), what).values()),
        kwargs=normalized_arguments(kwargs, what),
        priority=task.priority,
        not_before=task.run_after if is_later else None,
        needs_presence=needs_presence,
    )
    insert(entry, slots.NONE)
    return entry


def look(entry: Entry, seconds: float) -> None:
    """The owner looks at a live entry, which is present for so many seconds. The first look puts it into the line.

    Raises RedisError; the row knows of the look all the same. Raises ValueError for seconds that no look can have.
    """
    if not 0.001 <= seconds <= presence.longest_presence():  # Redis counts milliseconds
        raise ValueError(f"A look lasts more than 0 s and at most {presence.longest_presence():.0f} s, not {seconds} s")
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
        place_from_row(entry)
    except RedisError as error:
        logger.warning("entry %s has no place yet; the keeper will give it one: %s", entry.code, told(error))


def place_from_row(entry: Entry) -> None:
    """Give a new row its place. Raises RedisError."""
    line, keep = get_line(entry.queue), entry.keep_seconds or 0
    line.place(entry.job_id, entry.score, needs_presence=entry.needs_presence, address=entry.address, keep=keep)


def take_place(
    entry: Entry, content: Content, *, is_once: bool = False, look: Look | None = None, is_by_code: bool = False
) -> Entry:
    """Store a new entry with its input, and return it, or the live one that was made from the same form before."""
    try:
        _store_in_reserved_place(entry, content, look)
    except (CodeTaken, *TWIN_FIRST) as refusal:
        twin = _twin(entry, is_by_code=is_by_code)
        if twin is not None and twin.is_live and content.is_input_of(twin):
            return twin
        if isinstance(refusal, JoinRefused):
            raise
        if is_once:
            raise FormUsed from None
        # The form was used before for another file, or its entry has ended: this is a wish of its own.
        entry.code = uuid.uuid4()
        _store_in_reserved_place(entry, content, look)
    return entry


def _twin(entry: Entry, *, is_by_code: bool) -> Entry | None:
    """The entry of this code, if it is the same visitor's. A new browser may send a form twice before it has a cookie:

    1. Two requests come at the same moment, and each is given a name of its own.
    2. The first one stores the entry under its name.
    3. The second one finds that entry by the code. Its sender was shown the form, so it is the same browser.

    Both requests must have the same user. A user's second request may come without one: it was sent with a cookie that
    the answer to the first one has replaced. It finds the entry; to see it takes the cookie of that answer.
    """
    rows = Entry.objects.filter(code=entry.code)
    if not is_by_code:
        return rows.filter(visitor=entry.visitor).first()
    rows = rows.filter(joined_at__gt=site_time.now() - SAME_MOMENT)
    return (rows if entry.user_id is None else rows.filter(user=entry.user_id)).first()


def _store_in_reserved_place(entry: Entry, content: Content, look: Look | None) -> None:
    """Raises as `join`, or CodeTaken; then nothing is stored. The look comes late: a refused join costs no checker."""
    admission.check_policy(entry.user, entry.heavy_task)
    reservation = crowding.reserve(entry.queue, entry.job_id, entry.address)
    try:
        number = admission.admit(entry, content.size, reservation)
        crowding.find_rank(entry, reservation)
        if look is not None:
            entry.kwargs = kwargs_of(entry.heavy_task, look.options())
        with content.given_to(entry), slots.within(entry, reservation.levers.max_per_visitor):
            insert(entry, number)
    except BaseException:
        _cancel(entry, reservation, is_charged=look is not None and look.was_checked)
        raise


def _cancel(entry: Entry, reservation: Reservation, *, is_charged: bool) -> None:
    with suppress(RedisError):
        line = get_line(entry.queue)
        line.cancel_reservation(entry.job_id, reservation.token, entry.address, is_charged=is_charged)


def insert(entry: Entry, number: int) -> None:
    """The row; the place follows the commit. Raises CodeTaken or TooManyWaiting if all slots of that number are taken.

    Insert first and check only on conflict: conflicts are rare, and each check costs as much as the insert.
    """
    for slot in slots.to_try(entry.visitor, number):
        entry.slot, entry.joined_at = slot, site_time.now()
        try:
            with _savepoint():
                NEW_ROW.execute(entry)
        except IntegrityError as error:
            if Entry.objects.filter(code=entry.code).exists():
                raise CodeTaken from None
            if "slot" not in str(error):  # another constraint, as when a user was deleted meanwhile
                raise
        else:
            logger.info("entry %s joined %s", entry.code, entry.queue, extra=about(entry, event="join"))
            transaction.on_commit(partial(_after_commit, entry))
            return
    raise TooManyWaiting


def _savepoint() -> AbstractContextManager[None]:
    """A savepoint inside of the caller's transaction, which a refusal must leave usable. An insert alone needs none."""
    return transaction.atomic() if transaction.get_connection().in_atomic_block else nullcontext()


def kwargs_of(heavy_task: HeavyTask, options: dict[str, Any]) -> dict[str, Any]:
    """The options as the task will get them. Raises TypeError: a value cannot travel, or the function takes others."""
    kwargs = normalized_arguments(options, f"value of the field {{!r}} of {heavy_task.form.__qualname__}")
    check_call(heavy_task.task, (), kwargs)  # `clean` may add a value, or take one away
    return kwargs


def _after_commit(entry: Entry) -> None:
    if entry.not_before is None:  # else the keeper gives the place when the time has come
        place(entry)
    result = result_of(entry)
    task_enqueued.send_robust(type(result.task.get_backend()), task_result=result)
