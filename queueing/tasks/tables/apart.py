"""Totals, notes and second tables below the rows of a table."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from queueing.tasks.tables.dialect import Dialect
from queueing.tasks.tables.header import is_number
from queueing.tasks.tables.lines import lines_of
from queueing.tasks.tables.rows import Cells, Rows, filled

SHOWN = 10  # rows kept of one part
TAIL = 64 * 1024  # bytes at the end of a file in which totals and notes are looked for
BLANKS = 50  # blank lines that are examined
LOOKED_AT = 20  # rows below a blank line that are examined
BLOCK = 1024**2
NUMERIC = 0.8  # least share of numbers in a column of numbers, in the first rows
TOTAL = re.compile(
    r"(?:(?:grand|sub)[ -]?)?totals?:?|sum:?|summen?:?|gesamt(?:summe)?:?|insgesamt:?|total(?:e|es)?:?|somma:?|suma:?|"
    r"всего:?|итого:?|合计|总计|合計|합계",  # Russian
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Apart:
    """Rows below a table that belong to none of its rows."""

    what: str  # "totals", "footer" or "second table"
    rows: list[Cells]  # the first SHOWN of them
    count: int


def end_at_blank_row(path: Path, dialect: Dialect) -> tuple[int | None, list[Apart]]:
    """The byte where the table ends at a blank row, and what stands below it; (None, []) if rows go on."""
    if dialect.width < 2:
        return None, []
    for start, line in _blank_lines(path, dialect):
        below = _rows_from(path, dialect, start)
        numeric = _numeric_columns(dialect.rows[: max(line - dialect.line, 1)], dialect.width)
        if below and (what := _what(below, dialect, numeric)):
            count = _count_lines(path, start) if len(below) == LOOKED_AT else len(below)
            return start, [Apart(what, below[:SHOWN], count)]
    return None, []


def _numeric_columns(rows: list[Cells], width: int) -> set[int]:
    """The columns that hold numbers in these rows."""
    found = set()
    for column in range(width):
        cells = [row[column] for row in rows if column < len(row) and row[column].strip()]
        if len(cells) >= 2 and sum(map(is_number, cells)) >= NUMERIC * len(cells):
            found.add(column)
    return found


def _blank_lines(path: Path, dialect: Dialect) -> Iterator[tuple[int, int]]:
    """The places behind the first BLANKS lines of data that hold blanks and delimiters only: byte, number of line."""
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
                    yield offset - len(before) + found.end() + 1, line + text.count(b"\n", 0, found.start())
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


def _what(below: list[Cells], dialect: Dialect, numeric: set[int]) -> str:
    """The kind of these rows; empty if they are rows of the table."""
    ends_here = len(below) < LOOKED_AT
    if ends_here and all(_is_note(cells, dialect) for cells in below):
        return "footer"
    if ends_here and len(below) <= 3 and _is_total(below[0], numeric):
        return "totals"
    first = [cell.strip() for cell in below[0]]
    words = sum(bool(cell) and not is_number(cell) for cell in first)
    if first == [name.strip() for name in dialect.names][: len(first)]:
        return ""  # the header once more
    if len(below) < 2 or words < sum(map(bool, first)):
        return ""
    over_numbers = any(column in numeric and cell and not is_number(cell) for column, cell in enumerate(first))
    other_width = all(filled(cells) != dialect.width for cells in below)
    return "second table" if over_numbers or (other_width and words >= 1) else ""


def end_of_rows(path: Path, dialect: Dialect) -> tuple[int | None, list[Apart]]:
    """The byte where totals and notes begin in the last lines, and what they are; (None, []) if there are none."""
    if dialect.width < 2:
        return None, []
    if any(row and TOTAL.fullmatch(row[0].strip()) for row in dialect.rows[:-3]):
        return None, []  # totals stand among the rows
    size, numeric = path.stat().st_size, _numeric_columns(dialect.rows, dialect.width)
    with path.open("rb") as file:
        start = max(0, size - TAIL)
        file.seek(start)
        tail = file.read()
    if start:
        start += tail.find(b"\n") + 1
        tail = tail[tail.find(b"\n") + 1 :]
    lines = tail.splitlines(keepends=True)
    end, notes, totals = size, list[Cells](), list[Cells]()
    for line in reversed(lines[1:]):
        text = line.decode(errors="replace").rstrip("\r\n")
        if not text.strip():
            end -= len(line)
            continue
        if dialect.marks.quote and text.count(dialect.marks.quote) % 2:
            break  # the end of a field over many lines
        [row] = [row.cells for row in Rows([text], dialect.marks)] or [[]]
        if not totals and _is_note(row, dialect):
            notes.insert(0, row)
        elif len(totals) < 3 and _is_total(row, numeric):
            totals.insert(0, row)
        else:
            break
        end -= len(line)
    found = [("totals", totals), ("footer", notes)]
    apart = [Apart(what, rows[:SHOWN], len(rows)) for what, rows in found if rows]
    return (end, apart) if apart else (None, [])


def _is_note(cells: Cells, dialect: Dialect) -> bool:
    """True for a line of some words below a table of three columns or more."""
    if dialect.width < 3 or len(cells) >= dialect.width or filled(cells) != 1:
        return False
    text = cells[0].strip()
    return not is_number(text) and (" " in text or text[0] in "(*#-=")


def _is_total(cells: Cells, numeric: set[int]) -> bool:
    """True if the first word is one for a total, and only numbers follow it."""
    filled = [(column, cell.strip()) for column, cell in enumerate(cells) if cell.strip()]
    if len(filled) < 2 or not numeric:
        return False
    (column, word), *others = filled
    return column not in numeric and bool(TOTAL.fullmatch(word)) and all(is_number(cell) for _, cell in others)
