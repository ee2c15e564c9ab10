"""The rights of this site's user in PostgreSQL, as the server itself tells them.

A user who may read and not write finds each page of the queue in order, and each join is an error.
"""

from typing import NamedTuple

from django.apps import apps
from django.db import connection

WRITTEN = ("queueing", "sessions")  # apps: each request may write to their tables
QUESTION = """
SELECT quote_ident(current_user), quote_ident(current_database()), quote_ident(current_schema()),
       pg_is_in_recovery(), current_setting('transaction_read_only')::boolean,
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
       ARRAY(SELECT name FROM unnest(%s::text[]) AS name, to_regclass(quote_ident(name)) AS found
             WHERE NOT (has_table_privilege(found, 'SELECT') AND has_table_privilege(found, 'INSERT')
                        AND has_table_privilege(found, 'UPDATE') AND has_table_privilege(found, 'DELETE')))
"""


class Rights(NamedTuple):
    """The names are quoted for SQL. There may be no schema in which this user finds tables."""

    user: str
    database: str
    schema: str | None
    is_replica: bool
    is_read_only: bool
    makes_tables: bool
    closed: list[str]  # the tables in which this user may not do everything; those that are not there do not count

    @property
    def are_enough(self) -> bool:
        """True if the site can write."""
        return not self.is_read_only and not self.closed


def look() -> Rights | None:
    """Asks the database; None for SQLite, which knows no users. Raises DATABASE_ERRORS."""
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.execute("SELECT 1")
            return None
        cursor.execute(QUESTION, [_tables()])
        return Rights(*cursor.fetchone())


def _tables() -> list[str]:
    """Those of the apps that this site has: one may keep its sessions elsewhere."""
    found = [app for app in apps.get_app_configs() if app.label in WRITTEN]
    return [model._meta.db_table for app in found for model in app.get_models(include_auto_created=True)]
