"""Totals, notes and second tables below the rows of a table."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from queueing.tasks.tables.dialect import Dialect
from queueing.tasks.tables.frames import COUNT
from queueing.tasks.tables.header import is_number
from queueing.tasks.tables.lines import lines_of
from queueing.tasks.tables.rows import Cells, Rows, filled
from queueing.tasks.tables.totals import is_total, may_be_total, numeric_columns

SHOWN = 10  # rows kept of one part
TAIL = 64 * 1024  # bytes at the end of a file in which totals and notes are looked for
BLANKS = 50  # blank lines that are examined
SHORT_TABLE = 0.6  # share of numbers in a column of them, if the last of three rows is a note
MOST_TOTALS = 3  # rows of totals at the end of a table
LOOKED_AT = 20  # rows below a blank line that are examined
BLOCK = 1024**2
# A line that begins so says something about the table.
NOTE = re.compile(
    r"[(*\u2020\u2021\u00b9\u00b2\u00b3#=]|-- |"
    r"(?:notes?|sources?|n\.?b\.?|remarks?|comments?|footnotes?|legend|disclaimer|"
    r"anmerkung(?:en)?|hinweise?|quellen?|stand|remarques?|nota|notas|fuente|fonte|bron)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Apart:
    """Rows below a table that belong to none of its rows."""

    what: str  # a key of page.APART
    rows: list[Cells]  # the first SHOWN of them
    count: int


def end_at_blank_row(path: Path, dialect: Dialect) -> tuple[int | None, list[Apart]]:
    """The byte where the table ends at a blank row, and what stands below it; (None, []) if rows go on."""
    if dialect.width < 2:
        return None, []
    for start, line in _blank_lines(path, dialect):
        below = _rows_from(path, dialect, start)
        numeric = numeric_columns(dialect.rows[: line - dialect.line], dialect.width)
        if below and (parts := _parts(below, dialect, numeric)):
            counts = [_count_lines(path, start) if len(rows) == LOOKED_AT else len(rows) for _, rows in parts]
            return start, [Apart(what, rows[:SHOWN], count) for (what, rows), count in zip(parts, counts, strict=True)]
    return None, []


def _blank_lines(path: Path, dialect: Dialect) -> Iterator[tuple[int, int]]:
    """The places behind the first BLANKS lines of data that hold blanks and delimiters only: byte, number of it."""
    delimiter, count, line = dialect.marks.delimiter.encode(), 0, dialect.line
    # Finding two bytes is ten times as fast as the pattern, which is needed for a few blocks only.
    likely = [b"\n\n", b"\n\r\n", b"\n" + delimiter]
    pattern = re.compile(rb"\n[ \t%s]*\r?(?=\n)" % re.escape(delimiter))
    with path.open("rb") as file:
        for _ in range(dialect.line):
            file.readline()
        offset, before = file.tell(), b""
        while block := file.read(BLOCK):
            text = before + block
            if any(pair in text for pair in likely):
                for found in pattern.finditer(text):
                    yield offset - len(before) + found.end() + 1, line + text.count(b"\n", 0, found.start()) + 1
                    count += 1
                    if count == BLANKS:
                        return
            offset += len(block)
            before = text[max(text.rfind(b"\n"), len(text) - 4096) :]  # a blank line may lie across two blocks
            line += text.count(b"\n") - before.count(b"\n")


def _count_lines(path: Path, start: int) -> int:
    """The number of lines from this place on that are not blank: about the number of rows."""
    with path.open("rb") as file:
        file.seek(start)
        return sum(not line.isspace() for line in file)


def _all_rows(path: Path, dialect: Dialect, start: int) -> Iterator[Cells]:
    for row in Rows(lines_of(path, start), dialect.marks):
        if any(cell.strip() for cell in row.cells):
            yield row.cells


def _rows_from(path: Path, dialect: Dialect, start: int) -> list[Cells]:
    """The rows from this place on, LOOKED_AT at most."""
    found = []
    for cells in _all_rows(path, dialect, start):
        found.append(cells)
        if len(found) == LOOKED_AT:
            break
    return found


def _parts(below: list[Cells], dialect: Dialect, numeric: set[int]) -> list[tuple[str, list[Cells]]]:
    """The parts that these rows make, if they are none of the table: totals and notes below them; or a second table."""
    if len(below) < LOOKED_AT:
        totals = list(takewhile(lambda cells: is_total(cells, numeric), below))
        notes = below[len(totals) :]
        if len(totals) <= MOST_TOTALS and all(_is_note(cells, dialect, numeric) for cells in notes):
            return [(what, rows) for what, rows in (("totals", totals), ("footer", notes)) if rows]
    return [("second table", below)] if _is_second_table(below, dialect, numeric) else []


def _is_second_table(below: list[Cells], dialect: Dialect, numeric: set[int]) -> bool:
    """True if names stand in the first of these rows, and they are not those of the table."""
    first = [cell.strip() for cell in below[0]]
    words = sum(bool(cell) and not is_number(cell) for cell in first)
    if first == [name.strip() for name in dialect.names][: len(first)]:
        return False  # the header once more
    if len(below) < 2 or words < sum(map(bool, first)):
        return False
    over_numbers = any(column in numeric and cell and not is_number(cell) for column, cell in enumerate(first))
    other_width = all(filled(cells) != dialect.width for cells in below)
    return over_numbers or (other_width and words >= 1)


def end_of_rows(path: Path, dialect: Dialect) -> tuple[int | None, list[Apart]]:
    """The byte where totals and notes begin in the last lines, and what they are; (None, []) if there are none."""
    if dialect.width < 2:
        return None, []
    size, numeric = path.stat().st_size, numeric_columns(dialect.rows, dialect.width, SHORT_TABLE)
    # Where totals stand among the rows, the last ones are left to what is done about those; see loading.py.
    most = 0 if any(may_be_total(row, numeric) for row in dialect.rows[:-MOST_TOTALS]) else MOST_TOTALS
    with path.open("rb") as file:
        start = max(0, size - TAIL)
        file.seek(start)
        tail = file.read()
    if start:
        tail = tail[tail.find(b"\n") + 1 :]
    end, notes, totals = size, list[Cells](), list[Cells]()
    for line in reversed(tail.splitlines(keepends=True)[1:]):
        text = line.decode(errors="replace").rstrip("\r\n")
        if dialect.marks.quote and text.count(dialect.marks.quote) % 2:
            break  # the end of a field over many lines
        row = next((row.cells for row in Rows([text], dialect.marks)), [])
        if row and not totals and _is_note(row, dialect, numeric):
            notes.insert(0, row)
        elif row and len(totals) < most and is_total(row, numeric):
            totals.insert(0, row)
        elif row:
            break
        end -= len(line)
    found = [("totals", totals), ("footer", notes)]
    apart = [Apart(what, rows[:SHOWN], len(rows)) for what, rows in found if rows]
    return (end, apart) if apart else (None, [])


def _is_note(cells: Cells, dialect: Dialect, numeric: set[int]) -> bool:
    """True for a line of words below a table. It may hold delimiters, but no number where the table has numbers."""
    text = cells[0].strip()
    if filled(cells) == 1:
        is_short = len(cells) < dialect.width
        return is_short and (COUNT.fullmatch(text) is not None or (dialect.width > 2 and _is_prose(text)))
    beside = [cell for column, cell in enumerate(cells) if column in numeric and cell.strip()]
    is_other = bool(beside) or len(cells) != dialect.width
    return bool(NOTE.match(text)) and is_other and not any(map(is_number, beside))


def _is_prose(text: str) -> bool:
    return not is_number(text) and (" " in text or text[0] in "(*#-=")
