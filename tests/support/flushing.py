"""The end of a test that commits: the database has the rows again that it had when it was made.

Django's own flush empties all tables, and has all apps make their first rows again; that takes ten times as long.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.db import IntegrityError, connection, transaction

TRIES = 5  # while others write
Rows = list[tuple[Any, ...]]


class FirstRows:
    """The rows of all tables at this moment, a few dozens: what migrations and receivers of `post_migrate` make."""

    def __init__(self) -> None:
        names = connection.introspection.django_table_names(only_existing=True, include_views=False)
        self.tables = {name: _rows(name) for name in sorted(names)}

    def bring_back(self) -> None:
        """Empty the tables that have other rows now, and give them their first rows.

        A process of the test that still runs may write meanwhile, and a row of it may need one that is deleted here.
        """
        for _ in range(TRIES):
            with suppress(IntegrityError):
                self._bring_back()
                return
        self._bring_back()

    def _bring_back(self) -> None:
        with transaction.atomic(), connection.cursor() as cursor:  # foreign keys are looked at when it commits
            changed = list(self._changed())
            for name in changed:
                cursor.execute(f"DELETE FROM {_quoted(name)}")  # noqa: S608
            for name in changed:
                if rows := self.tables[name]:
                    values = ", ".join(["%s"] * len(rows[0]))
                    cursor.executemany(f"INSERT INTO {_quoted(name)} VALUES ({values})", rows)  # noqa: S608

    def _changed(self) -> Iterator[str]:
        for name, first in self.tables.items():
            if _rows(name, len(first) + 1) != first:
                yield name


def _rows(name: str, most: int = 1000) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {_quoted(name)} ORDER BY 1 LIMIT {most}")  # noqa: S608
        return list(cursor.fetchall())


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
