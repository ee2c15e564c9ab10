"""The database that DATABASE_URL names. Another kind than PostgreSQL and SQLite ends the process with one sentence."""

from typing import Any

import dj_database_url

from config.strength import refuse

ENGINES = {"django.db.backends.sqlite3", "django.db.backends.postgresql"}


def database(url: str) -> Any:
    """The entry of DATABASES. The sentence does not repeat the address: it may have a password."""
    try:
        # Under ASGI each request has a thread of its own: a connection that outlives its request is never used again,
        # and a few pages that poll would take all that the server has.
        found = dj_database_url.parse(url, conn_max_age=0)
    except ValueError:
        found = None
    if found is None or found["ENGINE"] not in ENGINES:
        refuse(
            "DATABASE_URL is no address of PostgreSQL or SQLite: write postgres://user:password@host:5432/name, with a "
            "percent-encoded password, or sqlite:////folder/name.sqlite3"
        )
    return found
