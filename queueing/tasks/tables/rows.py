"""Splits lines of text into rows, however their author quoted: the careful way to read a table.

DuckDB reads what follows RFC 4180, a hundred times as fast. This reader is for the rest: a mark that is opened and
never closed is a letter, and a mark inside a quoted field does not end it.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from queueing.tasks.tables.conf import conf
from queueing.tasks.tables.frames import COUNT, DOTS, is_of_types, is_rule, unframed

SPANNED = 3  # lines inside a quoted field that look like rows: then the mark before them is a letter

NO_DELIMITER = "\x1f"  # for a table of one column: a control character (unit separator) that text does not hold
COMMENTS = 10  # lines kept of those that were passed over
LOOSE = 1_000  # characters of a quoted field with marks inside
WORDS = re.compile(r'"[^"]*"(?=\s|\Z)|\S+')  # between blanks, where a pair of marks holds blanks together

BOX = "\u2502"  # between the cells of DuckDB's tables

Cells = list[str]


class Row(NamedTuple):
    """One row, and the number of the line where it begins; the first line is 0."""

    cells: Cells
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """How the rows of a table are cut into cells."""

    delimiter: str  # one character; " " is any number of blanks; "" is a table of one column
    quote: str = '"'  # '"', "'" or "" for none
    escape: str = ""  # "\\", or "" if a mark in a quoted field is doubled
    comment: str = ""  # lines that begin so are no rows
    is_framed: bool = False  # lines are drawn around the cells, as psql and Markdown do
    cuts: tuple[int, ...] = ()  # columns of aligned text: where each but the first one begins


def filled(cells: Cells) -> int:
    """The number of cells up to the last one that is not blank."""
    return next((number for number in range(len(cells), 0, -1) if cells[number - 1].strip()), 0)


class Rows:
    """The rows of a text, one by one. `mended` counts the marks that were taken for letters.

    A line that begins as a comment, and is cut into `width` cells, is a row.
    """

    def __init__(self, lines: Iterable[str], marks: Marks, *, width: int = 0) -> None:
        self.mended = 0
        self.comments: list[str] = []  # the first COMMENTS lines that were passed over
        self.commented = 0  # all of them
        self.line = -1  # of the row that was yielded last
        self._width = width
        self._count = 0  # rows that were yielded
        self._delimiter = marks.delimiter or NO_DELIMITER
        self._open_until = -1  # up to this line, no quoted field that is open is closed
        self._lines = iter(lines)
        self._ahead: deque[str] = deque()  # lines that were looked at already
        self._marks = marks
        self._patterns = _Patterns(marks, self._delimiter) if marks.quote and marks.delimiter != " " else None

    def __iter__(self) -> Iterator[Row]:
        """Yield all rows but blank ones."""
        while (text := self._next()) is not None:
            line = self.line
            is_drawn = self._marks.is_framed and is_rule(text)
            if text.strip() and not is_drawn and not self._is_comment(text):
                self._count += 1
                yield Row(self._cells(text), line)

    def _is_comment(self, text: str) -> bool:
        marks = self._marks
        if marks.is_framed:
            if not self._is_outside(text):
                return False
        elif not marks.comment or not text.startswith(marks.comment) or text.count(self._delimiter) == self._width - 1:
            return False
        self.commented += 1
        if len(self.comments) < COMMENTS:
            self.comments.append(text)
        return True

    def _is_outside(self, text: str) -> bool:
        """True for a line of a drawn table that is no row."""
        marks = self._marks
        if marks.cuts or not marks.delimiter:
            return COUNT.fullmatch(text) is not None
        if marks.delimiter not in text:
            return True
        cells = unframed(text, marks.delimiter)
        return marks.delimiter == BOX and (set(cells) == DOTS or (self._count == 1 and is_of_types(cells)))

    def _next(self) -> str | None:
        text = self._ahead.popleft() if self._ahead else next(self._lines, None)
        self.line += text is not None
        return text

    def _cells(self, text: str) -> Cells:
        marks = self._marks
        if marks.cuts:
            ends = [*marks.cuts, len(text)]
            return [text[start:end].strip() for start, end in pairwise([0, *ends])]
        if marks.delimiter == " ":
            quoted = marks.quote and marks.quote in text
            return [word.strip(marks.quote) for word in WORDS.findall(text)] if quoted else text.split()
        if marks.is_framed:
            return unframed(text, marks.delimiter) if marks.delimiter else [text.strip()]
        if self._patterns is None or marks.quote not in text:
            return text.split(self._delimiter)
        return self._quoted(text, self._patterns)

    def _quoted(self, text: str, patterns: "_Patterns") -> Cells:
        delimiter, cells, place, may_go_on = self._delimiter, Cells(), 0, True
        while True:
            cell, end = patterns.field(text, place)
            if cell is None and may_go_on and patterns.opened(text, place):
                joined = self._joined(text)
                may_go_on = bool(joined)  # what fails for one mark of a row fails for the next one
                text = joined or text
                cell, end = patterns.field(text, place)
            if cell is None:
                self.mended += patterns.opened(text, place)
                end = text.find(delimiter, place)
                end = len(text) if end < 0 else end
                cell = text[place:end]
            cells.append(cell)
            if end >= len(text):
                return cells
            place = end + 1

    def _joined(self, text: str) -> str:
        """The row with the lines over which its last field goes on.

        Empty if no line closes the field, if that takes too many bytes, or if the lines are rows themselves.
        """
        patterns, inner, size, closed = self._patterns, list[str](), len(text), False
        if patterns is None or self.line < self._open_until:
            return ""
        while not closed and size <= conf.MAX_LINE_BYTES and (line := self._look_ahead(len(inner))) is not None:
            inner.append(line)
            size += len(line) + 1
            closed = patterns.closes(line)
            if not closed and patterns.is_broken(line):
                break
        if not closed:
            self._open_until = self.line + len(inner)
        if not closed or self._are_rows([text, *inner]):
            return ""
        for _ in inner:
            self._next()
        return "\n".join([text, *inner])

    def _look_ahead(self, index: int) -> str | None:
        """A line behind this one; None at the end."""
        while index >= len(self._ahead):
            if (line := next(self._lines, None)) is None:
                return None
            self._ahead.append(line)
        return self._ahead[index]

    def _are_rows(self, lines: list[str]) -> bool:
        """True if so many lines have the same number of delimiters that they are rows, and no text of one field."""
        counts = {line.count(self._delimiter) for line in lines}
        return len(lines) >= SPANNED + 2 and len(counts) == 1 and counts != {0}


class _Patterns:
    """The forms of a field that begins with a quotation mark."""

    def __init__(self, marks: Marks, delimiter: str) -> None:
        q, d = re.escape(marks.quote), re.escape(delimiter)
        blanks = "" if marks.delimiter == "\t" else " *+"
        escaped = r"|\\." if marks.escape else ""
        text = rf"(?:[^{q}{'\\\\' if marks.escape else ''}]++|{q}{q}{escaped})*+"
        end = rf"{blanks}(?={d}|\Z)"
        self._quote, self._escape = marks.quote, marks.escape
        self._strict = re.compile(rf"{blanks}{q}({text}){q}{end}", re.DOTALL)
        self._trailed = re.compile(rf"{blanks}{q}({text}){q}([^{q}{d}]*+)(?={d}|\Z)", re.DOTALL)
        loose = r"(?:[^\n\\]|\\.)" if marks.escape else r"[^\n]"
        self._loose = re.compile(rf"{blanks}{q}({loose}{{0,{LOOSE}}}?){q}{end}")
        self._open = re.compile(rf"{blanks}{q}")
        self._close = re.compile(rf"{text}{q}{end}", re.DOTALL)
        self._inner = re.compile(rf"{text}\Z", re.DOTALL)

    def field(self, text: str, place: int) -> tuple[str | None, int]:
        """The quoted field at a place and its end; None if there is none, or if it is not closed."""
        if not self._open.match(text, place):
            return None, place
        if found := self._strict.match(text, place):
            return self._plain(found[1]), found.end()
        if found := self._trailed.match(text, place):
            return self._plain(found[1]) + found[2], found.end()
        if found := self._loose.match(text, place):
            return self._plain(found[1]), found.end()
        return None, place

    def opened(self, text: str, place: int) -> bool:
        return self._open.match(text, place) is not None

    def closes(self, line: str) -> bool:
        """True if this line ends a quoted field that began in a line before."""
        return self._close.match(line) is not None

    def is_broken(self, line: str) -> bool:
        """True if this line can be neither the end nor the middle of a quoted field."""
        return self._inner.match(line) is None

    def _plain(self, text: str) -> str:
        if self._escape:
            text = re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
        return text.replace(self._quote * 2, self._quote)
