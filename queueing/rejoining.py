"""Joining again after an end: by the visitor (`join_again`), or by staff for its owner (`retry`).

The new entry shares the input of the old one. If our machines lost that one, the new entry has its place, too.
"""

import json
import uuid
from contextlib import nullcontext
from typing import Any

from django.utils.crypto import salted_hmac

from queueing import policy, slots
from queueing.conf import conf
from queueing.exceptions import UnusableInput
from queueing.inputs import GONE, Content, Kept, Nothing, seconds_left
from queueing.joining import Owner, insert, kwargs_of, take_place
from queueing.models import Entry
from queueing.values import Encoder


def join_again(entry: Entry, owner: Owner, options: dict[str, Any] | None = None) -> Entry:
    """A new entry that shares the input: at the end of the line, or in the old place if our machines lost that one.

    The options are those of the entry, or others. Raises as `join`, or UnusableInput if the input is gone.
    """
    kwargs: Any = entry.kwargs if options is None else kwargs_of(entry.heavy_task, options)
    new = Entry(
        code=_next_code(entry, kwargs),
        queue=entry.queue,
        task_path=entry.heavy_task.task.module_path,
        backend=entry.heavy_task.task.backend,
        kwargs=kwargs,
        **_old_rank(entry),
        **owner.columns(),
    )
    successor = take_place(new, _kept(entry, kwargs))
    Entry.objects.filter(pk=entry.pk, followed_by=None).update(followed_by=successor)
    return successor


def _kept(entry: Entry, kwargs: dict[str, Any]) -> Content:
    """The input of an ended entry. Raises UnusableInput when it is gone; for files this is looked at again later."""
    if entry.input_name or entry.input:
        return Kept(entry)
    if seconds_left(entry) is None:
        raise UnusableInput(GONE)
    return Nothing(kwargs)


def retry(entry: Entry) -> Entry:
    """Staff start an ended entry again for its owner: as `join_again`, but no limit of a join refuses it.

    The owner may not be there. So the new place is kept for KEEP_GRACE, before the first look and in every absence; no
    work starts without the owner. Raises TooManyWaiting, CodeTaken (it was started again before), or UnusableInput.
    """
    new = Entry(
        code=_next_code(entry, entry.kwargs),
        queue=entry.queue,
        task_path=entry.task_path if entry.visitor is None else entry.heavy_task.task.module_path,
        backend=entry.backend,
        args=entry.args,
        kwargs=entry.kwargs,
        needs_presence=entry.needs_presence,
        keep_seconds=round(conf.KEEP_GRACE) if entry.needs_presence else None,
        visitor=entry.visitor,
        user_id=entry.user_id,
        address=entry.address,
        **({"priority": _priority_of_retry(entry)} | _old_rank(entry)),
    )
    if entry.erased_at:
        raise UnusableInput(GONE)
    has_files = entry.input_name or entry.input
    with Kept(entry).given_to(new) if has_files else nullcontext():
        insert(new, slots.number_of(new.user, None) if new.visitor else slots.NONE)
    Entry.objects.filter(pk=entry.pk, followed_by=None).update(followed_by=new)
    return new


def _old_rank(entry: Entry) -> dict[str, Any]:
    """The columns that give a successor the old place, if our machines lost the entry; else none."""
    if entry.keeps_place_for_successor:
        return {"place": entry.place or entry.id, "priority": entry.priority, "behind": entry.behind}
    return {}


def _priority_of_retry(entry: Entry) -> int:
    """As at a join of the same owner. Entries from code have none, and ask no policy: theirs is what the code said."""
    if entry.visitor is None:
        return entry.priority
    return policy.priority_of(entry.user, entry.heavy_task)


def _next_code(entry: Entry, kwargs: dict[str, Any]) -> uuid.UUID:
    """The code of the entry that follows this one with these options: the same each time.

    So two clicks make one entry, and a click with other options makes another one.
    """
    changed = "" if kwargs == entry.kwargs else json.dumps(kwargs, sort_keys=True, cls=Encoder)
    text = entry.code.hex + changed
    digest = salted_hmac("queueing.joining.join_again", text, algorithm="sha256").digest()
    return uuid.UUID(bytes=digest[:16], version=4)
