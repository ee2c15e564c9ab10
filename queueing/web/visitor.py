"""The visitor of a request or a socket, and the entries that this visitor owns.

This module alone decides who may see an entry: the browser session or user that made it, and staff with the permission.
"""

import logging
import time
import uuid
from dataclasses import dataclass
from typing import Any, Self

from django.db.models import Q
from django.http import HttpRequest

from queueing.joining import Owner
from queueing.models import Entry, EntryQuerySet
from queueing.models.trouble import DATABASE_ERRORS
from queueing.registry import all_tasks
from queueing.states import Status
from queueing.web.address import address_of_request, address_of_scope, network_key

logger = logging.getLogger("queueing")

# The visitor's random name in the browser's session.
SESSION_KEY = "visitor"
# The hour of the join at which the session was last written, in hours since 1970.
RENEWED_KEY = "renewed"

# The permissions by which staff see the entry of a visitor, and end it or keep its place.
LOOK, CHANGE = "queueing.view_entry", "queueing.change_entry"

SHOWN_RESULTS = 10


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser session, with the user that is logged in to it."""

    session: Any
    user: Any
    address: str = ""  # a key of the network; see `network_key`

    @classmethod
    def of_request(cls, request: HttpRequest) -> Self:
        """The visitor of a page."""
        return cls(request.session, request.user, network_key(address_of_request(request)))

    @classmethod
    def of_scope(cls, scope: Any) -> Self:
        """The visitor of a socket."""
        return cls(scope["session"], scope["user"], network_key(address_of_scope(scope)))

    @property
    def name(self) -> uuid.UUID | None:
        """The visitor's name, if this browser ever joined a line."""
        name = self.session.get(SESSION_KEY)
        return uuid.UUID(name) if name else None

    def as_owner(self) -> Owner:
        """The owner of an entry that this visitor is about to make. A new browser's name is kept by `remember`."""
        return Owner(self.name or uuid.uuid4(), self.user, self.address)

    def remember(self, owner: Owner) -> None:
        """The join succeeded: keep the name in the session, which lives for SESSION_COOKIE_AGE after the last join.

        A join that is refused makes no session, because a visitor could have any number of them refused.
        """
        hour = int(time.time() // 3600)
        if (self.name, self.session.get(RENEWED_KEY)) != (owner.visitor, hour):
            self.session[RENEWED_KEY] = hour  # a change, so the session is written with a new end
            self.session[SESSION_KEY] = str(owner.visitor)

    def as_guest(self) -> Owner:
        """The owner as `as_owner`, for a question: a browser without a name gets none."""
        return Owner(self.name, self.user, self.address)

    def owns(self, entry: Entry) -> bool:
        """True if this browser or user made the entry. Only an owner's page counts as presence."""
        name = self.name
        if name is not None and entry.visitor == name:
            return True
        return bool(self.user.is_authenticated and entry.user_id == self.user.pk)

    def may_change(self, entry: Entry) -> bool:
        """True for the owner, and for staff with the permission."""
        return self.owns(entry) or self.user.has_perm(CHANGE)

    def see_end(self, entry: Entry) -> None:
        """This visitor is told that the entry is over: note it, if it is the owner's first look at the end.

        An error is logged: a row that cannot be written must not keep the result from the visitor.
        """
        if entry.is_live or entry.end_seen_at is not None or not self.owns(entry):
            return
        try:
            entry.see_end()
        except DATABASE_ERRORS:
            logger.warning("The first look at the end of entry %s is not noted", entry.code, exc_info=True)

    def find(self, code: uuid.UUID, permission: str = LOOK) -> Entry | None:
        """The entry, for its owner and for staff with the permission. None for an unknown and for a foreign entry."""
        # A line that was taken out of the settings has no page any more.
        entry = Entry.objects.without_large_columns().filter(code=code, queue__in=all_tasks()).first()
        # Read the session for an unknown code, too: the read adds a Vary header, which would tell known from unknown.
        is_allowed = self.user.is_active and self.user.has_perm(permission)
        return entry if entry is not None and (self.owns(entry) or is_allowed) else None

    def places(self) -> list[Entry]:
        """The places that this visitor holds now, oldest first."""
        return list(self._own().live().order_by("id"))

    def results(self) -> list[Entry]:
        """The visitor's latest results that are still kept, newest first."""
        kept = self._own().filter(status=Status.SUCCEEDED, erased_at=None)
        return list(kept.order_by("-finished_at")[:SHOWN_RESULTS])

    def stored(self) -> list[Entry]:
        """The visitor's latest ended entries that can be deleted, newest first."""
        return list(self._own().final().filter(erased_at=None).order_by("-finished_at")[:SHOWN_RESULTS])

    def _own(self) -> EntryQuerySet:
        own = Q(visitor=name) if (name := self.name) else Q(pk=None)
        if self.user.is_authenticated:
            own |= Q(user=self.user)
        return Entry.objects.without_large_columns().filter(own, queue__in=all_tasks())
