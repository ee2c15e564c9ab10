"""The table as a Parquet file, its columns typed as they were read."""

from collections.abc import Sequence
from itertools import batched
from pathlib import Path

from queueing.tasks.tables.column import Column
from queueing.tasks.tables.loading import BLANKS, Table
from queueing.tasks.tables.moments import DateStyle
from queueing.tasks.tables.numeric import quoted
from queueing.tasks.tables.values import MISSING

AT_ONCE = 20  # columns
LARGEST = 2**63 - 1  # of a whole number in Parquet


def write_parquet(table: Table, columns: Sequence[Column], path: Path) -> None:
    """Write all rows in their order. A value that is missing, or that its column's type does not read, is NULL.

    The columns are made some at a time: DuckDB needs much memory for the expressions of many at once.
    """
    parts = []
    for number, some in enumerate(batched(columns, AT_ONCE)):
        cells = ", ".join(f'{_typed(column)} AS "{column.name.replace(chr(34), chr(34) * 2)}"' for column in some)
        table.query(f"CREATE OR REPLACE TEMP TABLE part{number} AS SELECT {cells} FROM cells ORDER BY rowid")
        parts.append(f"part{number}")
    table.query(f"COPY (SELECT * FROM {' POSITIONAL JOIN '.join(parts)}) TO {quoted(str(path))} (FORMAT parquet)")


def _typed(column: Column) -> str:
    text = f"trim(c{column.number}, {quoted(BLANKS)})"
    missing = ", ".join(map(quoted, ["", *MISSING, *column.missing_words]))
    value = f"CASE WHEN {text} NOT IN ({missing}) THEN {text} END"
    style, kind = column.style, column.facts["type"]
    if style is None:
        return value
    number = style.sql(f"({value})")
    if isinstance(style, DateStyle):
        moment = f"make_timestamp(({number})::BIGINT)"
        return {"date": f"({moment})::DATE", "time": f"({moment})::TIME"}.get(kind, moment)
    is_long = kind == "whole number" and max(-column.facts["min"], column.facts["max"]) <= LARGEST
    if is_long and style.is_plain:
        return f"TRY_CAST(CASE WHEN ({number}) IS NOT NULL THEN {value} END AS BIGINT)"
    return f"({number})::BIGINT" if is_long else number
