"""Who may see an entry: the browser session or user that made it, and staff with the permission. Nobody else."""

import uuid
from typing import Any

from django.db.models import Q

from queueing import tasks
from queueing.models import Entry, EntryQuerySet
from queueing.states import Status

# The visitor's random name in the browser's session.
SESSION_KEY = "visitor"

# What staff must be allowed to in order to see an entry of others, and to leave or keep its place.
LOOK, CHANGE = "queueing.view_entry", "queueing.change_entry"


def visitor_of(session: Any) -> uuid.UUID | None:
    """The visitor's name, if this browser ever joined a line."""
    name = session.get(SESSION_KEY)
    return uuid.UUID(name) if name else None


def make_visitor(session: Any) -> uuid.UUID:
    """The visitor's name; a new browser gets one."""
    return uuid.UUID(session.setdefault(SESSION_KEY, uuid.uuid4().hex))


def owns(entry: Entry, session: Any, user: Any) -> bool:
    """Whether this browser or user made the entry; only an owner's page counts as presence."""
    visitor = visitor_of(session)
    if visitor is not None and entry.visitor == visitor:
        return True
    return bool(user.is_authenticated and entry.user_id == user.pk)


def live_entries(session: Any, user: Any) -> list[Entry]:
    """The places this browser or user holds now, oldest first."""
    return list(_of(session, user).live().order_by("id"))


def results(session: Any, user: Any) -> list[Entry]:
    """What was done for this browser or user lately and is still kept, newest first; at most ten."""
    return list(_of(session, user).filter(status=Status.SUCCEEDED).order_by("-finished_at")[:10])


def _of(session: Any, user: Any) -> EntryQuerySet:
    mine = Q(visitor=visitor) if (visitor := visitor_of(session)) else Q(pk=None)
    if user.is_authenticated:
        mine |= Q(user=user)
    return Entry.objects.light().filter(mine, queue__in=tasks.load())


def find_entry(code: uuid.UUID, session: Any, user: Any, permission: str = LOOK) -> Entry | None:
    """The entry, for its owner and for staff with the permission. Unknown and foreign look alike: None."""
    # A line that was taken out of the settings has no page any more.
    entry = Entry.objects.light().filter(code=code, queue__in=tasks.load()).first()
    # Asked for unknown entries too: who reads the session gets another Vary header.
    is_allowed = user.is_active and user.has_perm(permission)
    return entry if entry is not None and (owns(entry, session, user) or is_allowed) else None
