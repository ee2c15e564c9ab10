"""Reads a table as a stream and returns its profile."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from queueing.tasks.tables.column import Column
from queueing.tasks.tables.dialect import sniff_file
from queueing.tasks.tables.encoding import as_utf8, detect
from queueing.tasks.tables.reading import Reader

VALUES = 1_000_000  # different values kept, over all columns
LEAST_PER_COLUMN, MOST_PER_COLUMN = 1_000, 100_000  # different values kept of one column

type Progress = Callable[[float, float, str], None]


def profile(path: Path, *, header: str, progress: Progress) -> dict[str, Any]:
    """The profile of a table, as it is written to profile.json.

    `progress` gets the bytes read, the bytes in all and a message; its exceptions pass through. Raises UnusableInput.
    """
    size = path.stat().st_size

    def tick() -> None:
        progress(0, size, "Looking at the encoding")

    encoding = detect(path, tick)
    with as_utf8(path, encoding, tick) as (text, unreadable):
        reader = Reader(text, sniff_file(text, header=header))
        columns = _read(reader, text.stat().st_size, progress)
    dialect = reader.dialect
    return {
        "size": size,
        "encoding": encoding.name,
        "delimiter": dialect.delimiter_name,
        "decimal_mark": dialect.decimal,
        "header": dialect.header,
        "rows": reader.rows,
        "ragged_rows": reader.ragged,
        "unreadable_characters": unreadable,
        "titles_above": dialect.skip - dialect.header,
        "columns": [column.facts() for column in columns],
    }


def _read(reader: Reader, size: int, progress: Progress) -> list[Column]:
    names, decimal = reader.dialect.names, reader.dialect.decimal
    limit = min(max(VALUES // len(names), LEAST_PER_COLUMN), MOST_PER_COLUMN)
    columns = [Column(name, decimal=decimal, limit=limit) for name in names]
    for frame in reader.frames():
        for column, values in zip(columns, frame.iter_columns(), strict=True):
            column.add(values)
            # Report after each column: one block of a thousand columns takes seconds.
            progress(reader.done, size, f"{reader.rows:,} rows read")
    return columns
