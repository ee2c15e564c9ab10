"""The right by which an open page is told about its entry. It is asked again for as long as the page is open.

A right ends with the session of the browser, or with the sign-in, the account or the permission of the user. Signals of
such ends reach the pages of all processes as a hint; what no signal tells (an age, a deleted row) is found by the
Lobby, which asks for all of its pages every RIGHTS_INTERVAL.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import batched
from typing import Any, Self

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save
from django.dispatch import receiver

from queueing import site_time
from queueing.events import publish_rights
from queueing.models import Entry
from queueing.models.trouble import DATABASE_ERRORS
from queueing.web.sessions import SessionStore
from queueing.web.sign_in import user_of
from queueing.web.visitor import Visitor

logger = logging.getLogger("queueing")

BATCH = 500  # sessions in one query


@dataclass(frozen=True, slots=True)
class Right:
    """The right of one open page."""

    session_key: str
    is_of_browser: bool  # the browser made the entry; its session's row is all that this right needs
    user_id: str | None  # of the user who is signed in

    @classmethod
    def of(cls, visitor: Visitor, entry: Entry) -> Self:
        """The right of a visitor who may look at this entry."""
        user_id = str(visitor.user.pk) if visitor.user.is_authenticated else None
        return cls(visitor.session.session_key or "", visitor.owns_by_name(entry), user_id)


def is_over(right: Right, entry: Entry) -> bool:
    """True if the visitor may not see this entry any more. Reads the database."""
    return bool(find_over([(right, entry)]))


def find_over(pages: Iterable[tuple[Right, Entry]]) -> list[int]:
    """The indexes of the pages whose visitors may not see their entries any more.

    Pages of browsers cost one query for BATCH sessions, since thousands of them are open. Those of staff, of a user in
    another browser, and of an account cost some queries for each session, and what the site's policy asks.
    """
    numbered = list(enumerate(pages))
    of_browsers = [(index, right) for index, (right, _) in numbered if right.is_of_browser]
    of_users = [(index, right, entry) for index, (right, entry) in numbered if not right.is_of_browser]
    living = set(_living({right.session_key for _, right in of_browsers}))
    over = [index for index, right in of_browsers if right.session_key not in living]
    visitors: dict[str, Visitor] = {}
    for index, right, entry in of_users:
        visitor = visitors.get(right.session_key) or visitors.setdefault(right.session_key, _visitor(right))
        if not _may_look(visitor, entry):
            over.append(index)
    return over


def _may_look(visitor: Visitor, entry: Entry) -> bool:
    """False, too, if the site's policy raises an error: it must not keep the other pages from losing their rights."""
    try:
        return visitor.may_look(entry)
    except DATABASE_ERRORS:
        raise
    except Exception:
        logger.exception("The right to see entry %s could not be asked", entry.code)
        return False


def _living(session_keys: set[str]) -> Iterator[str]:
    for batch in batched(session_keys, BATCH):
        rows = Session.objects.filter(session_key__in=batch, expire_date__gt=site_time.now())
        yield from rows.values_list("session_key", flat=True)


def _visitor(right: Right) -> Visitor:
    session = SessionStore(right.session_key)
    return Visitor(session, user_of(session))


# Ends that a signal tells


# Each names its sender: a listener to the deletes of all models would make Django read every row that it deletes.


@receiver([post_save, post_delete], sender=settings.AUTH_USER_MODEL, dispatch_uid="rights of user")
def _user_changed(instance: Model, update_fields: Any = None, **_: Any) -> None:
    """Signing in, too, writes the row: the time of the last sign-in."""
    if set(update_fields or ()) != {"last_login"}:
        _tell(str(instance.pk))


@receiver(post_delete, sender=Group, dispatch_uid="rights of group")
def _group_deleted(**_: Any) -> None:
    _tell(None)


@receiver(m2m_changed, dispatch_uid="rights")
def _permissions_changed(instance: Model, action: str, **_: Any) -> None:
    """The permissions or the groups of a user, or the permissions or the users of a group, were changed."""
    if not action.startswith("post_"):
        return
    if isinstance(instance, get_user_model()):
        _tell(str(instance.pk))
    elif isinstance(instance, Group):
        _tell(None)


def _tell(user_id: str | None) -> None:
    transaction.on_commit(lambda: publish_rights(user_id))
