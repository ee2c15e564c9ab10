"""The visitor of a request or a socket, and the entries that this visitor owns.

This module alone decides who may see an entry: the browser session or user that made it, the account that the site's
policy gives to users (`policy.py`), and staff with the permission.
A permission counts for active staff only, and those to change and to see contents only together with the one to look.
"""

import logging
import time
import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Self

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest

from queueing import logs, policy, staff, traces
from queueing.joining import Owner
from queueing.models import Entry, EntryQuerySet
from queueing.models.trouble import DATABASE_ERRORS
from queueing.registry import all_tasks
from queueing.roles import CHANGE, CONTENT, LINES, LOOK, STEER
from queueing.states import Status
from queueing.web import audit
from queueing.web.address import address_of_request, address_of_scope, network_key
from queueing.web.sessions import VISITOR, SessionStore
from queueing.web.sign_in import user_of

logger = logging.getLogger("queueing")

# The visitor's random name in the browser's session.
SESSION_KEY = VISITOR
# The hour of the join at which the session was last written, in hours since 1970.
RENEWED_KEY = "renewed"

SHOWN_RESULTS = 10


def may(user: Any, permission: str) -> bool:
    """True for active staff with this permission on entries."""
    return bool(user.is_active and user.is_staff and user.has_perm(LOOK) and user.has_perm(permission))


def may_see_lines(user: Any) -> bool:
    """True for active staff that may see the numbers of the lines, or all entries, which tell more."""
    return bool(user.is_active and user.is_staff and (user.has_perm(LINES) or user.has_perm(LOOK)))


def may_steer(user: Any) -> bool:
    """True for active staff that may steer the lines and their workers."""
    return may_see_lines(user) and bool(user.has_perm(STEER))


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser session, with the user that is logged in to it."""

    session: Any
    user: Any
    address: str = ""  # a key of the network; see `network_key`
    client: str = ""  # the address itself, for the log
    page: str = ""  # the name of the page that is asked for, for the log
    traceparent: str = ""  # the trace that the request is part of; see `traces.py`

    @classmethod
    def of_request(cls, request: HttpRequest) -> Self:
        """The visitor of a page."""
        client, match = address_of_request(request), request.resolver_match
        trace = traces.accepted(request.headers.get("traceparent", ""))
        return cls(request.session, request.user, network_key(client), client, (match and match.url_name) or "", trace)

    @classmethod
    def of_scope(cls, scope: Any, session: SessionStore | None = None) -> Self:
        """The visitor of a socket. Reads session and user, so call it in a thread; or the session was read before."""
        client = address_of_scope(scope)
        if session is None:
            session = SessionStore(scope["cookies"].get(settings.SESSION_COOKIE_NAME))
        return cls(session, user_of(session), network_key(client), client, "socket")

    @property
    def name(self) -> uuid.UUID | None:
        """The visitor's name, if this browser ever joined a line."""
        name = self.session.get(SESSION_KEY)
        return uuid.UUID(name) if name else None

    @property
    def member(self) -> Any:
        """The user who is signed in, or None."""
        return self.user if self.user.is_authenticated else None

    @property
    def account(self) -> uuid.UUID | None:
        """The name that the site's policy gives to the entries of the user who is signed in."""
        return policy.account_of(self.member) if self.member else None

    def newcomer(self, queue: str) -> Entry:
        """An entry as this visitor would make it, to ask what stands in the way. It is not stored."""
        return Entry(queue=queue, visitor=self.account or self.name, user=self.member, address=self.address)

    def as_owner(self, *, was_shown: bool = False) -> Owner:
        """The owner of an entry that this visitor is about to make. A new browser's name is kept by `remember`.

        `was_shown`: the visitor was shown the very form; see `EntryForm.was_shown`.
        """
        name = self.account or self.name
        knows_form = was_shown and name is None
        return Owner(name or uuid.uuid4(), self.user, self.address, self.traceparent, knows_form=knows_form)

    def refusal(self, entry: Entry) -> str:
        """The sentence of the site's policy if this visitor, the entry's owner, may not join its line again; or "".

        An error of the policy is logged: it must not keep the page, and the result, from the visitor.
        """
        if not self.owns(entry):
            return ""
        try:
            return policy.refusal_of(self.member, entry.heavy_task)
        except DATABASE_ERRORS:
            raise
        except Exception:
            logger.exception("The policy could not be asked about a place after entry %s", entry.code)
            return ""

    def remember(self, owner: uuid.UUID | None) -> None:
        """The join succeeded: keep the name in the session, which lives for SESSION_COOKIE_AGE after the last join.

        `owner` is the name in the entry's row. A form that a new browser has sent twice has the first name of the two.

        A join that is refused makes no session, because a visitor could have any number of them refused. A session that
        had no name gets a new key with it: its cookie may have been planted by another site of this domain, whose owner
        would then see the visitor's entries. The name of an account is not kept: it counts while the user is signed in.
        """
        name = self.name if owner == self.account else owner
        if name != self.name and self.name is None and self.session.session_key is not None:
            self.session.cycle_key()
        hour = int(time.time() // 3600)
        if (self.name, self.session.get(RENEWED_KEY)) != (name, hour):
            self.session[RENEWED_KEY] = hour  # a change, so the session is written with a new end
            if name is not None:
                self.session[SESSION_KEY] = str(name)

    def owns(self, entry: Entry) -> bool:
        """True if this browser or user made the entry, or its account. Only an owner's page counts as presence."""
        if self.owns_by_name(entry):
            return True
        if self.member is None:
            return False
        return bool(entry.user_id == self.member.pk or (entry.visitor is not None and entry.visitor == self.account))

    def owns_by_name(self, entry: Entry) -> bool:
        """True if this browser made the entry, whoever is signed in to it now."""
        name = self.name
        return name is not None and entry.visitor == name

    def may_look(self, entry: Entry) -> bool:
        """True for the owner, and for staff with the permission."""
        return self.owns(entry) or may(self.user, LOOK)

    def may_change(self, entry: Entry) -> bool:
        """True for the owner, and for staff with the permission."""
        return self.owns(entry) or may(self.user, CHANGE)

    def may_open(self, entry: Entry) -> bool:
        """True if this visitor may see what is in the entry: for the owner, and for staff with the permission."""
        return self.owns(entry) or may(self.user, CONTENT)

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
        return self.admitted(entry, permission)

    def admitted(self, entry: Entry | None, permission: str = LOOK) -> Entry | None:
        """The entry again, if this visitor may see it; a look of staff is noted."""
        # Read the session for an unknown code, too: the read adds a Vary header, which would tell known from unknown.
        is_allowed = may(self.user, permission)
        if entry is None or self.owns(entry):
            return entry
        if not is_allowed:
            return None
        if permission in {LOOK, CONTENT}:
            audit.staff_looks(self.user, self.client, self.page, entry.code)
        return entry

    def acting(self, entry: Entry) -> AbstractContextManager[None]:
        """Sets the actor of the log for acts of this visitor on the entry: the visitor, or a member of staff."""
        return logs.acting(logs.VISITOR if self.owns(entry) else logs.staff(self.user))

    def note_move(self, entry: Entry, what: str) -> None:
        """This visitor has ended the entry, kept its place, or deleted its content. Note it if it is another's."""
        if not self.owns(entry):
            audit.staff_moves(self.user, self.client, self.page, entry.code)
            staff.note(entry, self.user, what)
            staff.log([entry], self.user, what)

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
        own = Q(visitor__in=[name for name in (self.name, self.account) if name is not None])
        if self.member is not None:
            own |= Q(user=self.member)
        return Entry.objects.without_large_columns().filter(own, queue__in=all_tasks())
