"""The dialect of a table: delimiter, header and decimal mark, detected from its first rows."""

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from queueing.exceptions import UnusableInput
from queueing.sizes import readable_size
from queueing.tasks.tables.conf import conf
from queueing.tasks.tables.header import Row, is_number, looks_like_header, matches, names_of

USUAL = ",;\t|"
RARE = "^~:\x1e"  # accepted only if every row has the same number of fields
NO_DELIMITER = "\x1f"  # used to read a table of one column: a control character (unit separator) absent from text
NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", "^": "caret", "~": "tilde", ":": "colon"}
ROWS = 200  # rows examined

DECIMAL_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+")
DECIMAL_POINT = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)\.\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The way in which one table is written."""

    delimiter: str
    names: list[str]  # one per column, all different, none empty
    header: bool  # the first row below the titles holds the names
    skip: int  # rows before the first row of data: titles and header
    start: int  # bytes before the first row: the line "sep=;" if there is one
    decimal: str = "."  # decimal mark of its numbers

    @property
    def delimiter_name(self) -> str:
        """The delimiter in words, for the page; "none" for a table of one column."""
        return NAMES.get(self.delimiter, "none" if self.delimiter == NO_DELIMITER else repr(self.delimiter))


def head_bytes() -> int:
    """The bytes needed to detect a dialect: the longest line allowed, and some more."""
    return conf.MAX_LINE_BYTES + 64 * 1024


def sniff_file(path: Path, *, header: str) -> Dialect:
    """The dialect of a UTF-8 file. For `header` and errors see `sniff`."""
    with path.open("rb") as file:
        head = file.read(head_bytes())
        return sniff(head.decode(errors="ignore"), whole=not file.read(1), header=header)


def sniff(text: str, *, whole: bool, header: str = "auto") -> Dialect:
    """The dialect of a table, from the text at its beginning.

    `whole` says that `text` is all of the table, so that its last row is complete. `header` is "yes", "no" or "auto":
    the first row holds names, is data, or is to be examined.

    Raises UnusableInput if the table is blank, has too many columns, or its first row is too long. Sets the csv
    module's field limit for the whole process, which `Reader` relies on.
    """
    csv.field_size_limit(conf.MAX_LINE_BYTES)
    named, body = _after_sep_line(text)
    if not body.strip():
        raise UnusableInput("This file has no columns: there is nothing in it but blank lines.")
    delimiter = named or _delimiter(body, whole=whole)
    rows = _rows(body, delimiter, whole=whole)
    if not rows:
        limit = readable_size(conf.MAX_LINE_BYTES)
        raise UnusableInput(f"The first row of this table is longer than {limit}.")
    width, titles = _width_and_titles(rows)
    if width > conf.MAX_COLUMNS:
        raise UnusableInput(f"This table has {width:,} columns; the limit is {conf.MAX_COLUMNS:,}.")
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


def _after_sep_line(text: str) -> tuple[str, str]:
    """The delimiter that a first line "sep=;" names (Excel's convention; else ""), and the text after that line."""
    found = re.match(r'"?sep=([\t !#-/:-@\[-`{-~])"?\r?\n', text, re.IGNORECASE)
    return (found[1], text[found.end() :]) if found else ("", text)


def _delimiter(text: str, *, whole: bool) -> str:
    """The delimiter that cuts most rows into the same number of fields, at least two."""
    scores = {delimiter: _score(_rows(text, delimiter, whole=whole)) for delimiter in USUAL + RARE}
    best = max(USUAL, key=scores.__getitem__)
    if scores[best] > (0.5, 0, 0):
        return best
    return next((delimiter for delimiter in RARE if scores[delimiter] >= (1, 1, 0)), NO_DELIMITER)


def _score(rows: list[Row]) -> tuple[float, float, int]:
    """The fit of a delimiter; compare as a tuple.

    The three parts: share of rows with the usual width, share of cells without another delimiter in them, width.
    The second part decides rows like "1,5;2,5": the semicolon gives two clean numbers, the comma gives "5;2".
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
    """Up to ROWS rows, without blank ones, and without the last one if it is cut off or too long."""
    rows = []
    cut_off = not whole
    try:
        for row in filter(None, csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)):
            rows.append(row)
            if len(rows) == ROWS:
                return rows
    except csv.Error:  # a field is longer than MAX_LINE_BYTES; its row was not appended
        cut_off = False
    return rows[:-1] if cut_off else rows


def _width_and_titles(rows: list[Row]) -> tuple[int, int]:
    """The number of columns, and the number of title rows above the table.

    The header may have one field less than the rows: R writes no name for the column of row names.
    """
    usual = Counter(map(len, rows)).most_common(1)[0][0]
    least = max(usual - 1, min(usual, 2))
    titles = next(index for index, row in enumerate(rows) if len(row) >= least)
    return max(usual, len(rows[titles])), titles


def _has_decimal_commas(rows: list[Row]) -> bool:
    cells = [cell for row in rows for cell in row]
    return sum(matches(DECIMAL_COMMA, cell) for cell in cells) > sum(matches(DECIMAL_POINT, cell) for cell in cells)
