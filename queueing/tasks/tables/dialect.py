"""The dialect of a table: delimiter, quoting, titles, header and width, detected from its first rows."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import islice

from queueing.exceptions import UnusableInput
from queueing.sizes import readable_size
from queueing.tasks.tables.above import is_title, pairs_above
from queueing.tasks.tables.aligned import cuts_of
from queueing.tasks.tables.choices import AUTO, CHARACTERS, DELIMITERS, QUOTATION_MARKS, Choices
from queueing.tasks.tables.conf import conf
from queueing.tasks.tables.frames import frame_of, is_rule, is_single, ruled_columns
from queueing.tasks.tables.header import (
    has_numbers_for_names,
    is_number,
    is_second_header,
    looks_like_header,
    names_of,
    names_stand_above_numbers,
)
from queueing.tasks.tables.quoting import comment_of, with_quoting
from queueing.tasks.tables.rows import Cells, Marks, Row, Rows, filled

USUAL = ",;\t|"
RARE = "^~:\x1e"  # accepted only if every row has the same number of fields
ROWS = 200  # rows examined
FIRST = 3  # rows at the beginning, of which one is the header
NO_SCORE = (0.0, False, 0.0, 0)  # of a delimiter that cuts nothing
CLOSE = 0.9  # of the best delimiter's score: then the page offers the other one
SEP_LINE = re.compile(r'"?sep=([\t !#-/:-@\[-`{-~])"?\r?(?:\n|\Z)', re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The way in which one table is written."""

    marks: Marks
    names: Cells  # one per column, all different, none empty
    header: bool  # the first row below the titles holds the names
    titles: Cells  # the lines above the header
    line: int  # number of the line with the first row of data; the first line is 0
    rows: list[Cells]  # the first rows of data
    other: str = ""  # a delimiter that fits nearly as well, as in choices.DELIMITERS
    header_is_close: bool = False  # the header holds numbers, which may be data

    @property
    def width(self) -> int:
        return len(self.names)

    @property
    def delimiter(self) -> str:
        """The delimiter as in choices.DELIMITERS; the character itself if a line "sep=!" names another one."""
        if self.marks.cuts:
            return "space"
        names = {mark: name for name, mark in CHARACTERS.items()}
        return names.get(self.marks.delimiter, self.marks.delimiter) or "none"

    @property
    def delimiter_name(self) -> str:
        """The delimiter in words, for the page; "none" for a table of one column."""
        if self.marks.cuts:
            return "aligned with blanks"
        return self.delimiter if self.delimiter in dict(DELIMITERS) else repr(self.delimiter)


def head_bytes() -> int:
    """The bytes needed to detect a dialect: the longest line allowed, and some more."""
    return conf.MAX_LINE_BYTES + 64 * 1024


def sniff(text: str, *, whole: bool, choices: Choices | None = None) -> Dialect:
    """The dialect of a table, from the text at its beginning. `whole` says that `text` is all of the table.

    Raises UnusableInput if the table is blank, has too many columns, or its first row is too long.
    """
    choices = choices or Choices()
    named = SEP_LINE.match(text)
    lines = text.split("\n")
    if not whole:
        lines = lines[:-1]  # it may be cut off
    lines = [line.removesuffix("\r") for line in lines]
    if named:
        lines[:1] = [""]  # so that the other lines keep their numbers
    if not any(line.strip() for line in lines):
        if not whole:
            raise UnusableInput(f"The first row of this table is longer than {readable_size(conf.MAX_LINE_BYTES)}.")
        raise UnusableInput("This file has no columns: there is nothing in it but blank lines.")
    marks, other = _marks(lines, named[1] if named else "", choices)
    return _dialect(lines, marks, other, choices)


def _marks(lines: Cells, named: str, choices: Choices) -> tuple[Marks, str]:
    """The marks of the table, and a delimiter that fits nearly as well."""
    quote = None if choices.quote == AUTO else QUOTATION_MARKS[choices.quote]
    if choices.delimiter != AUTO:
        return _with_delimiter(lines, CHARACTERS.get(choices.delimiter, ""), quote), ""
    if named:
        return _with_delimiter(lines, named, quote), ""
    if drawn := _drawn(lines[: 2 * ROWS]):
        return drawn, ""
    found = {mark: _with_delimiter(lines, mark, quote) for mark in USUAL + RARE}
    scores = {mark: _score(_first_rows(lines, marks)) for mark, marks in found.items()}
    best, second = sorted(USUAL, key=scores.__getitem__, reverse=True)[:2]
    for mark in RARE.replace(":", ""):
        if scores[mark][:2] == (1, True) and not scores[best][1]:  # the usual one does not cut the header
            return found[mark], ""
    if scores[best][0] >= 0.5 and scores[best] > NO_SCORE:
        (share, _, clean, _), (other_share, _, other_clean, _) = scores[best], scores[second]
        is_close = other_share >= CLOSE * share and other_clean >= CLOSE * clean
        return found[best], name_of(second) if is_close else ""
    spaced = _with_delimiter(lines, " ", quote)
    is_spaced = bool(spaced.cuts) or _is_spaced(_first_rows(lines, spaced))
    for mark in RARE.replace(":", "") if is_spaced else RARE:
        if scores[mark][:3] == (1, True, 1):
            return found[mark], ""
    return (spaced, "none") if is_spaced else (Marks(delimiter=""), "")


def _drawn(lines: Cells) -> Marks | None:
    """The marks of a table with drawn lines; None if there are none."""
    if frame := frame_of(lines):
        return Marks(delimiter=frame, quote="", is_framed=True)
    if cuts := ruled_columns(lines):
        return Marks(delimiter=" ", quote="", is_framed=True, cuts=cuts)
    return Marks(delimiter="", quote="", is_framed=True) if is_single(lines) else None


def name_of(mark: str) -> str:
    """The value in choices.DELIMITERS."""
    return next((name for name, character in CHARACTERS.items() if character == mark), mark)


def _with_delimiter(lines: Cells, delimiter: str, quote: str | None) -> Marks:
    """The marks with this delimiter. `quote` is the quotation mark that the visitor chose."""
    if delimiter == " ":
        likely = '"' if '"' in "".join(lines[:ROWS]) else ""
        spaced = Marks(delimiter=" ", quote=likely if quote is None else quote)
        is_even = _is_spaced(_first_rows(lines, spaced))
        cuts = () if is_even or spaced.quote else cuts_of([line for line in lines[:ROWS] if line.strip()])
        return replace(spaced, cuts=cuts)
    marks = Marks(delimiter=delimiter, comment=comment_of(lines, delimiter))
    return with_quoting(lines, marks, quote) if delimiter else marks


def _first_rows(lines: Cells, marks: Marks) -> list[Row]:
    return list(islice(Rows(lines, marks), ROWS))


def _score(rows: list[Row]) -> tuple[float, bool, float, int]:
    """The fit of a delimiter; compare as a tuple.

    The parts: share of rows with the usual width; whether the first rows have it, so that no header is taken for a
    title; share of cells without another delimiter in them; width. The third part decides rows like "1,5;2,5": the
    semicolon gives two clean numbers, the comma gives "5;2".
    """
    if not rows:
        return NO_SCORE
    _, titles = _width_and_titles([row.cells for row in rows])
    first, rows = rows[:FIRST], rows[titles:]
    width, count = Counter(len(row.cells) for row in rows).most_common(1)[0]
    if width == 1:
        return NO_SCORE
    cells = [cell for row in rows for cell in row.cells]
    clean = sum(is_number(cell) or not any(mark in cell for mark in USUAL) for cell in cells)
    begins_so = all(len(row.cells) == width for row in first)
    return round(count / len(rows), 1), begins_so, round(clean / len(cells), 1), width


def _width_and_titles(rows: list[Cells]) -> tuple[int, int]:
    """The number of columns, and the number of title rows above the table.

    The usual width is that of most rows; a wider one needs fewer of them, so four titles above three rows stay titles.
    Cells beyond the header that are empty in every row ask for no name, so a header may be shorter than its rows.
    """
    counts = Counter(map(len, rows))
    often = [width for width in counts if counts[width] > 1] or list(counts)
    usual = max(often, key=lambda width: (counts[width] ** 2 * width, width))
    widest = max(filled(row) for row in rows if len(row) == usual)
    # The header may have one field less than the rows: R writes no name for the column of row names.
    least = max(min(widest, usual) - 1, min(usual, 2))
    fitting = [index for index, row in enumerate(rows) if len(row) >= least and filled(row) > least / 2]
    titles = next((index for index in fitting if not is_title(rows[index : index + 3], least)), 0)
    return max(usual, filled(rows[titles])), titles


def _is_spaced(rows: list[Row]) -> bool:
    """True if blanks cut the rows into columns, of which one holds numbers. Prose is not cut so."""
    table = [row.cells for row in rows]
    width = Counter(map(len, table)).most_common(1)[0][0] if table else 0
    if width < 2 or len(table) < 3 or sum(len(row) == width for row in table) < 0.9 * len(table):
        return False
    return any(all(is_number(row[column]) for row in table[1:] if len(row) == width) for column in range(width))


def _dialect(lines: Cells, marks: Marks, other: str, choices: Choices) -> Dialect:
    rows = _first_rows(lines, marks)
    if not rows:
        raise UnusableInput("This file has no columns: there is nothing in it but comments.")
    width, titles = _width_and_titles([row.cells for row in rows])
    titles = max(titles, pairs_above(rows, width))
    if width > conf.MAX_COLUMNS:
        raise UnusableInput(f"This table has {width:,} columns; the limit is {conf.MAX_COLUMNS:,}.")
    table = [row.cells for row in rows[titles:]]
    above = [line for line in lines[: rows[titles].line] if line.strip()]
    commented = _commented_header(above, marks, table, width) if choices.header != "no" else []
    has_header = choices.header == "yes" or (choices.header != "no" and looks_like_header(table))
    data = rows[titles + (has_header and not commented) :]
    if has_header and is_second_header([row.cells for row in data]):
        above, data = [*above, lines[data[0].line]], data[1:]
    header = [commented, *table] if commented else table
    has_header = has_header or bool(commented)
    return Dialect(
        marks=marks,
        names=names_of(header if has_header else [], width),
        header=has_header,
        titles=[line.strip() for line in above if not _is_known(line, marks)],
        line=data[0].line if data else len(lines),
        rows=[row.cells for row in data],
        other=other,
        header_is_close=choices.header == AUTO and has_header and has_numbers_for_names(header),
    )


def _commented_header(above: Cells, marks: Marks, table: list[Cells], width: int) -> Cells:
    """The names of columns in the last comment above the table; empty if there are none, or the first row is a header.

    So they stand in VCF files, as "#CHROM", and in those of NumPy, as "# x".
    """
    if not above or not marks.comment or not above[-1].startswith(marks.comment):
        return []
    [row, *_] = Rows([above[-1].removeprefix(f"{marks.comment} ")], replace(marks, comment=""))
    is_header = len(row.cells) == width and all(cell.strip() and not is_number(cell) for cell in row.cells)
    return row.cells if is_header and not names_stand_above_numbers(table) else []


def _is_known(line: str, marks: Marks) -> bool:
    """True for comments, and for what is not in the frame: they are shown, but not as titles."""
    is_outside = marks.is_framed and (is_rule(line) or marks.delimiter not in line)
    return is_outside or bool(marks.comment and line.startswith(marks.comment))
