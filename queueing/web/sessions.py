"""The sessions of browsers: rows of the database, as Django's own.

A browser has one session, for its places in line and for the user who is signed in. An end of the sign-in (by hand, by
age, by a new password) ends the session's key and all that it holds, except for the visitor's name: the places stay.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY as USER
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session

from queueing import site_time
from queueing.events import publish_rights

# The keys that Django makes. A cookie may hold anything, and PostgreSQL refuses a whole query for one NUL.
KEY = re.compile("[a-z0-9]{8,40}")
VISITOR = "visitor"  # the visitor's random name


class SessionStore(db.SessionStore):
    """Django's store, whose end keeps the visitor's name, and is told to the open pages of its user."""

    def flush(self) -> None:
        """End this session. What is left of it, the visitor's name, is stored under a new key."""
        name, user = self.get(VISITOR), self.get(USER)
        super().flush()
        if name is not None:
            self[VISITOR] = name
        if user is not None:
            publish_rights(user)

    def get_expiry_date(self, **options: Any) -> datetime:
        """The end of this session, by the time that all hosts share."""
        return super().get_expiry_date(**{"modification": site_time.now()} | options)

    def fill(self, data: str | None) -> None:
        """Take what was read of this session, as `load` does: None for a session that is not there."""
        self._session_cache = {} if data is None else self.decode(data)
        if data is None:
            self._session_key = None

    async def aflush(self) -> None:
        """End this session, as `flush` does."""
        await sync_to_async(self.flush)()


def read_sessions(keys: Iterable[str | None]) -> dict[str | None, SessionStore]:
    """The sessions of these keys, in one query. As with Django's own store, an unknown key is an empty session."""
    stores = {key: SessionStore(key) for key in keys}
    known = [store.session_key for store in stores.values() if KEY.fullmatch(store.session_key or "")]
    rows = Session.objects.filter(session_key__in=known, expire_date__gt=site_time.now())
    data = dict(rows.values_list("session_key", "session_data"))
    for store in stores.values():
        store.fill(data.get(store.session_key or ""))
    return stores
