"""The sessions of browsers: rows of the database, as Django's own.

A browser has one session, for its places in line and for the user who is signed in. An end of the sign-in (by hand, by
age, by a new password) ends the session's key and all that it holds, except for the visitor's name: the places stay.
"""

from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY as USER
from django.contrib.sessions.backends import db

from queueing.events import publish_rights

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

    async def aflush(self) -> None:
        """End this session, as `flush` does."""
        await sync_to_async(self.flush)()
