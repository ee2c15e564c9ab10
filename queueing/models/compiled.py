"""Statements that Django compiles once, and that are sent with other values each time.

Django makes the SQL of a statement anew at each call. For the one that starts an entry that takes longer than the
database does, and the visitor waits for both.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from django.db import connections, models
from django.db.models.expressions import Expression
from django.db.models.sql import UpdateQuery


class Given(Expression):
    """In a compiled statement: a value of this field, which is given by name at each call."""

    def __init__(self, name: str, output_field: Any) -> None:
        super().__init__(output_field=output_field)
        self.name = name

    def as_sql(self, *_: Any, **__: Any) -> tuple[str, tuple[Any, ...]]:
        """One parameter: this object, until the call puts the value in its place."""
        return "%s", (self,)


class _Compiled(NamedTuple):
    """The SQL of a statement for one database, its parameters, and what makes Python's values of a row."""

    sql: str
    parameters: tuple[Any, ...]
    as_values: Callable[[list[tuple[Any, ...]]], Iterable[Any]]


class UpdateReturning[Row: models.Model]:
    """UPDATE ... RETURNING, of all columns of the model. `which` and `values` may hold Given."""

    def __init__(self, which: "Callable[[Any], models.QuerySet[Row]]", values: Callable[[], Mapping[str, Any]]) -> None:
        self._which, self._values = which, values
        self._compiled: dict[str, _Compiled] = {}  # by the database's alias

    def execute(self, rows: "models.QuerySet[Row]", **given: Any) -> list[Row]:
        """The rows that were changed, as they are now. `rows` are all rows of one database."""
        connection, fields = connections[rows.db], rows.model._meta.concrete_fields
        if (statement := self._compiled.get(rows.db)) is None:
            statement = self._compiled[rows.db] = self._compile(rows)
        parameters = [
            parameter.output_field.get_db_prep_save(given[parameter.name], connection)
            if isinstance(parameter, Given)
            else parameter
            for parameter in statement.parameters
        ]
        with connection.cursor() as cursor:
            cursor.execute(statement.sql, parameters)
            changed = statement.as_values(cursor.fetchall())
        names = [field.attname for field in fields]
        return [rows.model.from_db(rows.db, names, values) for values in changed]

    def _compile(self, rows: "models.QuerySet[Row]") -> _Compiled:
        meta: Any = rows.model._meta
        query: Any = self._which(rows).query.chain(UpdateQuery)
        query.add_update_fields([(meta.get_field(name), None, value) for name, value in self._values().items()])
        compiler: Any = query.get_compiler(rows.db)
        compiler.returning_fields = meta.concrete_fields
        sql, parameters = compiler.as_sql()
        converters = compiler.get_converters([field.get_col(meta.db_table) for field in meta.concrete_fields])
        return _Compiled(sql, parameters, partial(compiler.apply_converters, converters=converters))
