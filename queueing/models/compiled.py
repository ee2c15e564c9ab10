"""Statements that Django compiles once, and that are sent with other values each time.

Django makes the SQL of a statement anew at each call. For those that store and start an entry that takes as long as
the database does, and the visitor waits for both.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from django.db import connections, models, router
from django.db.models.expressions import Expression
from django.db.models.signals import post_save, pre_save
from django.db.models.sql import InsertQuery, UpdateQuery


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


class Insert[Row: models.Model]:
    """INSERT of one new row, whose id the database makes: what `save(force_insert=True)` does in half the time."""

    def __init__(self) -> None:
        self._compiled: dict[str, str] = {}  # SQL by the database's alias

    def execute(self, row: Row) -> None:
        """Store the row. Raises IntegrityError. Like any INSERT it needs a savepoint inside of a transaction."""
        model, using = type(row), router.db_for_write(type(row), instance=row)
        if (sql := self._compiled.get(using)) is None:
            sql = self._compiled[using] = self._compile(model, using)
        pre_save.send(model, instance=row, raw=False, using=using, update_fields=None)
        connection = connections[using]
        values = [field.get_db_prep_save(field.pre_save(row, True), connection) for field in _but_id(model)]
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            (row.pk,) = cursor.fetchone()
        row._state.adding, row._state.db = False, using  # noqa: SLF001  # as `Model.save` leaves it
        post_save.send(model, instance=row, created=True, update_fields=None, raw=False, using=using)

    def _compile(self, model: type[Row], using: str) -> str:
        fields, made_up = _but_id(model), model()
        for field in fields:
            setattr(made_up, field.attname, Given(field.attname, field))
        query: Any = InsertQuery(model)
        query.insert_values(fields, [made_up], raw=True)
        compiler: Any = query.get_compiler(using)
        compiler.returning_fields = [model._meta.pk]
        ((sql, _),) = compiler.as_sql()
        return str(sql)


def _but_id(model: type[models.Model]) -> list[Any]:
    """The columns of a model, in their order, without its primary key."""
    return [field for field in model._meta.concrete_fields if not field.primary_key]
