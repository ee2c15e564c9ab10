"""How a table is written: delimiter, header, decimal mark. Told from its first lines."""

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from django.template.defaultfilters import filesizeformat

from queueing.conf import conf
from queueing.exceptions import UnusableInput
from queueing.tasks.tables.header import Row, is_number, looks_like_header, names_of

USUAL = ",;\t|"
RARE = "^~:\x1e"  # taken only if they fit without exception
ALONE = "\x1f"  # the delimiter of a table with one column: a character that no text has
NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", "^": "caret", "~": "tilde", ":": "colon"}
ROWS = 200  # rows looked at

DECIMAL_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+")
DECIMAL_POINT = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)\.\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    delimiter: str
    names: list[str]  # one per column, all different, none empty
    header: bool
    skip: int  # rows before the first row of data: the header, and titles above it
    start: int  # bytes before the first row: a line "sep=;"
    decimal: str = "."

    @property
    def delimiter_name(self) -> str:
        return NAMES.get(self.delimiter, "none" if self.delimiter == ALONE else repr(self.delimiter))


def head_bytes() -> int:
    """How much of a file must be seen: at least one line."""
    return conf.TABLE_MAX_LINE_BYTES + 64 * 1024


def sniff_file(path: Path, *, header: str) -> Dialect:
    """The dialect of a UTF-8 file. Raises UnusableInput."""
    with path.open("rb") as file:
        head = file.read(head_bytes())
        return sniff(head.decode(errors="ignore"), whole=not file.read(1), header=header)


def sniff(text: str, *, whole: bool, header: str = "auto") -> Dialect:
    """The dialect of a table from its beginning; `whole`: there is no more of it. Raises UnusableInput."""
    csv.field_size_limit(conf.TABLE_MAX_LINE_BYTES)
    told, body = _told(text)
    if not body.strip():
        raise UnusableInput("This file has no columns: there is nothing in it but blank lines.")
    delimiter = told or _delimiter(body, whole=whole)
    rows = _rows(body, delimiter, whole=whole)
    if not rows:
        limit = filesizeformat(conf.TABLE_MAX_LINE_BYTES)
        raise UnusableInput(f"The first row of this table is longer than {limit}.")
    width, titles = _shape(rows)
    if width > conf.TABLE_MAX_COLUMNS:
        raise UnusableInput(f"This table has {width:,} columns; the limit is {conf.TABLE_MAX_COLUMNS:,}.")
    rows = rows[titles:]
    has_header = header == "yes" or (header != "no" and looks_like_header(rows))
    return Dialect(
        delimiter=delimiter,
        names=names_of(rows if has_header else [], width),
        header=has_header,
        skip=titles + has_header,
        start=len(text[: len(text) - len(body)].encode()),
        decimal="," if delimiter != "," and _has_decimal_commas(rows) else ".",
    )


def _told(text: str) -> tuple[str, str]:
    """Excel's own way to name the delimiter: a first line "sep=;"."""
    found = re.match(r'"?sep=([\t !#-/:-@\[-`{-~])"?\r?\n', text, re.IGNORECASE)
    return (found[1], text[found.end() :]) if found else ("", text)


def _delimiter(text: str, *, whole: bool) -> str:
    """The delimiter that cuts most lines into the same number of fields, more than one."""
    scores = {delimiter: _score(_rows(text, delimiter, whole=whole)) for delimiter in USUAL + RARE}
    best = max(USUAL, key=scores.__getitem__)
    if scores[best] > (0.5, 0, 0):
        return best
    return next((delimiter for delimiter in RARE if scores[delimiter] >= (1, 1, 0)), ALONE)


def _score(rows: list[Row]) -> tuple[float, float, int]:
    """How well a delimiter fits: share of rows with the usual width, share of cells without other delimiters, width.

    The second decides "1,5;2,5": two clean numbers beat three pieces.
    """
    if not rows:
        return 0, 0, 0
    width, count = Counter(map(len, rows)).most_common(1)[0]
    if width == 1:
        return 0, 0, 0
    cells = [cell for row in rows for cell in row]
    clean = sum(is_number(cell) or not any(mark in cell for mark in USUAL) for cell in cells)
    return round(count / len(rows), 1), round(clean / len(cells), 1), width


def _rows(text: str, delimiter: str, *, whole: bool) -> list[Row]:
    """The first rows, without blank ones and without one that is torn or too long."""
    rows = []
    torn = not whole
    try:
        for row in filter(None, csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)):
            rows.append(row)
            if len(rows) == ROWS:
                return rows
    except csv.Error:  # a field is longer than a line may be
        torn = False
    return rows[:-1] if torn else rows


def _shape(rows: list[Row]) -> tuple[int, int]:
    """How many columns there are, and how many rows of titles stand above the table.

    The header may be one shorter than the rows: R leaves the column of row names without one.
    """
    usual = Counter(map(len, rows)).most_common(1)[0][0]
    least = max(usual - 1, min(usual, 2))
    titles = next(index for index, row in enumerate(rows) if len(row) >= least)
    return max(usual, len(rows[titles])), titles


def _has_decimal_commas(rows: list[Row]) -> bool:
    cells = [cell.strip() for row in rows for cell in row]
    return sum(map(bool, map(DECIMAL_COMMA.fullmatch, cells))) > sum(map(bool, map(DECIMAL_POINT.fullmatch, cells)))
