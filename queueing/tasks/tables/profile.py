"""Reads a table and returns its profile."""

import tempfile
from collections.abc import Callable
from dataclasses import asdict
from itertools import batched
from pathlib import Path
from typing import Any

from queueing.tasks.tables import doubts
from queueing.tasks.tables.choices import AUTO, DECIMAL_MARKS, Choices
from queueing.tasks.tables.column import Column
from queueing.tasks.tables.describer import Describer, usual_decimal
from queueing.tasks.tables.dialect import Dialect, head_bytes, sniff
from queueing.tasks.tables.encoding import as_utf8, detect
from queueing.tasks.tables.export import write_parquet
from queueing.tasks.tables.guessing import Encoding
from queueing.tasks.tables.loading import Table
from queueing.tasks.tables.moments import DateStyle
from queueing.tasks.tables.numeric import NumberStyle

CELLS = 50_000  # described at once
SAMPLE = 10  # rows of data in profile.json
LOADING = 0.6  # share of the work until the rows are loaded

type Json = dict[str, Any]
type Progress = Callable[[float, float, str], None]


def profile(path: Path, *, choices: Choices | None = None, progress: Progress, parquet: Path | None = None) -> Json:
    """The profile of a table, as it is written to profile.json. The table itself is written to `parquet`, if given.

    `progress` gets the bytes read, the bytes in all and a message; its exceptions pass through. Raises UnusableInput.
    """
    choices, size = choices or Choices(), path.stat().st_size

    def report(part: float, message: str) -> None:
        progress(part * size, size, message)

    def tick() -> None:
        report(0, "Looking at the encoding")

    encoding = detect(path, tick, choices.encoding)
    with as_utf8(path, encoding, tick) as (text, unreadable), tempfile.TemporaryDirectory() as folder:
        dialect = sniff_file(text, choices)
        with Table(Path(folder), dialect) as table:
            table.load(text, lambda done: report(done * LOADING, "Reading the rows"))
            table.tick = lambda: report(LOADING, f"{table.rows:,} rows read")
            columns = _describe(table, choices, report)
            if parquet:
                report(1, "Writing the Parquet file")
                write_parquet(table, columns, parquet)
            return {
                "size": size,
                **_way_of_writing(encoding, dialect, choices, columns),
                **_about_rows(table),
                "unreadable_characters": unreadable,
                "doubts": _doubts(encoding, dialect, columns),
                "columns": [column.facts for column in columns],
            }


def _about_rows(table: Table) -> Json:
    return {
        "rows": table.rows,
        "ragged_rows": table.short_rows + table.long_rows,
        "short_rows": table.short_rows,
        "long_rows": table.long_rows,
        "odd_rows": [asdict(row) for row in table.odd_rows()],
        "stray_marks": table.mended,
        "rows_called_total": table.called_total,
        "apart": [asdict(part) for part in table.apart],
        "titles_above": len(table.dialect.titles),
        "titles": [title[:200] for title in table.dialect.titles[:SAMPLE]],
        "sample": table.first_rows(SAMPLE),
    }


def sniff_file(path: Path, choices: Choices) -> Dialect:
    """The dialect of a UTF-8 file. For errors see `sniff`."""
    with path.open("rb") as file:
        head = file.read(head_bytes())
        return sniff(head.decode(errors="ignore"), whole=not file.read(1), choices=choices)


def _doubts(encoding: Encoding, dialect: Dialect, columns: list[Column]) -> list[Json]:
    found = doubts.about_file(encoding, dialect)
    styled = [(column.name, column.style) for column in columns]
    close = [(name, style) for name, style in styled if isinstance(style, NumberStyle) and style.is_close]
    for read_as, other in (("point", "comma"), ("comma", "point")):
        names = [name for name, style in close if style.decimal == DECIMAL_MARKS[read_as]]
        if names and not usual_decimal(columns):
            found.append(doubts.about_decimals(names, read_as, other))
    dates = [(name, style) for name, style in styled if isinstance(style, DateStyle) and style.other]
    for first in ("day", "month", "year"):
        if names := [name for name, style in dates if style.first == first]:
            others = dict.fromkeys(style.first_of_other for name, style in dates if style.first == first)
            found.append(doubts.about_dates(names, first, list(others)))
    return found


def _way_of_writing(encoding: Encoding, dialect: Dialect, choices: Choices, columns: list[Column]) -> Json:
    return {
        "encoding": encoding.name,
        "delimiter": dialect.delimiter_name,
        "quote": dialect.marks.quote if dialect.marks.delimiter else "",
        "escape": dialect.marks.escape,
        "decimal_mark": DECIMAL_MARKS.get(choices.decimal) or usual_decimal(columns) or ".",
        "header": dialect.header,
    }


def _describe(table: Table, choices: Choices, report: Callable[[float, str], None]) -> list[Column]:
    """All columns; those that need the decimal mark of the others once more, when it is known."""
    describer, columns = Describer(table, choices), list[Column]()
    message = f"{table.rows:,} rows read"
    for numbers in batched(range(table.dialect.width), max(1, CELLS // max(table.rows, 1))):
        columns += describer.describe(numbers)
        report(LOADING + (1 - LOADING) * len(columns) / table.dialect.width, message)
    usual = usual_decimal(columns)
    if choices.decimal == AUTO and usual == ",":
        open_ = [column.number for column in columns if _has_open_mark(column)]
        for numbers in batched(open_, max(1, CELLS // max(table.rows, 1))):
            for column in describer.describe(numbers, usual=usual):
                columns[column.number] = column
            report(1, message)
    return columns


def _has_open_mark(column: Column) -> bool:
    """True if the column's own numbers do not prove their decimal mark."""
    return isinstance(column.style, NumberStyle) and not column.style.has_proof
