"""How a table is written: delimiter, header, names, decimal mark. Told from its first lines."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from queueing.conf import conf
from queueing.exceptions import UnusableInput

USUAL = ",;\t|"
RARE = "^~:\x1e"  # taken only if they fit without exception
ALONE = "\x1f"  # the delimiter of a table with one column: a character that no text has
NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", "^": "caret", "~": "tilde", ":": "colon"}
ROWS = 200  # rows looked at

NUMBER = re.compile(r"[+-]?\d[\d.,]*%?|\d{1,4}[-./:]\d{1,2}([-./:]\d{1,4})?([T ][\d:.]+\w*)?")
DECIMAL_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+")
DECIMAL_POINT = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)\.\d+")

type Row = list[str]


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
    delimiter = told or _delimiter(body, whole=whole)
    rows = _rows(body, delimiter, whole=whole)
    if not rows:
        raise UnusableInput("This file has no columns: there is nothing in it but blank lines.")
    width, titles = _shape(rows)
    if width > conf.TABLE_MAX_COLUMNS:
        raise UnusableInput(f"This table has {width:,} columns; the limit is {conf.TABLE_MAX_COLUMNS:,}.")
    rows = rows[titles:]
    has_header = header == "yes" or (header != "no" and _looks_like_header(rows))
    return Dialect(
        delimiter=delimiter,
        names=_names(_header(rows, width) if has_header else [], width),
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
    clean = sum(bool(NUMBER.fullmatch(cell)) or not any(mark in cell for mark in USUAL) for cell in cells)
    return round(count / len(rows), 1), round(clean / len(cells), 1), width


def _rows(text: str, delimiter: str, *, whole: bool) -> list[Row]:
    rows = list(islice(_parsed(text, delimiter), ROWS + 1))
    if len(rows) > 1 and (len(rows) > ROWS or not whole):
        rows.pop()  # may be torn
    return rows


def _parsed(text: str, delimiter: str) -> Iterator[Row]:
    """Rows that are not blank, up to the first that cannot be read."""
    try:
        yield from filter(None, csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error:
        return


def _shape(rows: list[Row]) -> tuple[int, int]:
    """How many columns there are, and how many rows of titles stand above the table.

    The header may be one shorter than the rows: R leaves the column of row names without one.
    """
    usual = Counter(map(len, rows)).most_common(1)[0][0]
    least = max(usual - 1, min(usual, 2))
    titles = next(index for index, row in enumerate(rows) if len(row) >= least)
    return max(usual, len(rows[titles])), titles


def _looks_like_header(rows: list[Row]) -> bool:
    """Names, not values: no numbers or dates, or else at least one name above a number."""
    if not any(map(_is_number, rows[0])):
        return True
    second = rows[1] if len(rows) > 1 else []
    return any(cell and not _is_number(cell) and _is_number(low) for cell, low in zip(rows[0], second, strict=False))


def _is_number(cell: str) -> bool:
    return NUMBER.fullmatch(cell.strip()) is not None


def _header(rows: list[Row], width: int) -> Row:
    """The first row; where it is one short, the nameless column is the first one, unless the last holds nothing."""
    header, *data = rows
    if len(header) == width - 1 and any(row[-1] for row in data if len(row) == width):
        return ["", *header]
    return header


def _names(header: Row, width: int) -> list[str]:
    """Names for all columns: a blank one is called by its number, a repeated one is counted."""
    names: list[str] = []
    taken: Counter[str] = Counter()
    for number in range(1, width + 1):
        cell = header[number - 1] if number <= len(header) else ""
        name = " ".join(cell.replace("\0", "").split()) or f"Column {number}"
        taken[name] += 1
        while name in names:
            name = f"{name} ({taken[name]})"
        names.append(name)
    return names


def _has_decimal_commas(rows: list[Row]) -> bool:
    cells = [cell.strip() for row in rows for cell in row]
    return sum(map(bool, map(DECIMAL_COMMA.fullmatch, cells))) > sum(map(bool, map(DECIMAL_POINT.fullmatch, cells)))
