"""Loads a UTF-8 table into a DuckDB database in the temporary folder: one column of text for each column of the table.

DuckDB reads the file itself, with strict rules. Where it refuses, or where its reading differs at the ends of the file
from that of rows.py, the careful reader writes a clean copy, and DuckDB reads that.
"""

import csv
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb

from queueing.exceptions import UnusableInput
from queueing.sizes import readable_size
from queueing.tasks.tables.apart import SHOWN, Apart, end_at_blank_row, end_of_rows
from queueing.tasks.tables.conf import conf
from queueing.tasks.tables.database import Database, Report
from queueing.tasks.tables.dialect import Dialect
from queueing.tasks.tables.lines import count_blank_lines, count_lines, lines_of
from queueing.tasks.tables.numeric import quoted
from queueing.tasks.tables.rows import NO_DELIMITER, SPANNED, Cells, Marks, Rows
from queueing.tasks.tables.totals import delete_headers, totals_among

EXTRA = 8  # columns for the cells of rows that are too long; the careful reader cuts longer rows
ODD_ROWS = 5  # rows that do not fit, kept to be shown
LONG_TABLE = 200_000  # rows, from which on a statement may take long
# The ways in which DuckDB may read a file, the cheapest first: whether rows may be too short or too long, and whether
# by several threads. Rows that do not fit, beside fields over many lines, are read by one thread only.
WAYS = ((False, True), (True, True), (True, False))
# DuckDB reads this text as NULL. An empty cell is no NULL then, so NULL tells where a row is too short.
NEVER = "\x02never\x02"
BLANKS = " \t\r\n\u00a0\u200b\u200e\u200f\u2060\ufeff"  # no part of a value at its ends; some have no width
CLEAN = Marks(delimiter=",")


@dataclass(frozen=True, slots=True)
class OddRow:
    """A row of data with another number of fields than the table has columns."""

    row: int  # 1 for the first row of data
    fields: int
    text: str


class Table(Database):
    """A table whose rows are in the DuckDB table "cells", in their order: columns c0, c1 ... of text.

    If there are rows that do not fit, "cells" has columns x0, x1 ... for the cells beyond the table's width, and NULL
    where a row is too short.
    """

    def __init__(self, folder: Path, dialect: Dialect) -> None:
        super().__init__(folder, dialect.width)
        self.folder = folder
        self.dialect = dialect
        self.rows = 0
        self.short_rows = 0
        self.long_rows = 0
        self.mended = 0  # quotation marks that were taken for letters
        self.called_total = 0  # rows of data that have a word for totals, and do not add up
        self.apart: list[Apart] = []
        self._may_be_odd = True  # some rows may not fit
        self._has_blank_lines = False
        self._long: dict[int, int] = {}  # fields of the first rows that were cut, by their numbers

    def __enter__(self) -> "Table":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def load(self, path: Path, report: Report) -> None:
        """Read the file. Raises UnusableInput for a line longer than MAX_LINE_BYTES."""
        if not self.dialect.rows:
            self._create_empty()
            return
        end, self.apart = end_of_rows(path, self.dialect)
        if end is not None:
            path = self._beginning(path, end)
        self._read(path, report)
        if self._has_blank_rows():
            end, apart = end_at_blank_row(path, self.dialect)
            if end is not None:
                self.apart = apart + self.apart
                self._read(self._beginning(path, end), report)
        self._count()
        self._set_headers_apart()
        self._set_totals_apart()

    def _read(self, path: Path, report: Report) -> None:
        self.mended, self._long = 0, {}
        self.apart = [part for part in self.apart if part.what != "comments"]
        if not self._read_fast(path, report):
            self._read_carefully(path, report)

    def _has_blank_rows(self) -> bool:
        """True if there may be blank rows, below which something else may stand."""
        empty = " AND ".join(f"coalesce(c{number}, '') = ''" for number in range(self.dialect.width))
        return self._has_blank_lines or bool(self.query(f"SELECT 1 FROM cells WHERE {empty} LIMIT 1"))

    def first_rows(self, number: int) -> list[Cells]:
        """The first rows of data, as wide as the table."""
        width = self.dialect.width
        found = self.query(f"SELECT {_columns('c', width)} FROM cells ORDER BY rowid LIMIT {number}")
        return [["" if cell is None else cell for cell in row] for row in found]

    def odd_rows(self) -> list[OddRow]:
        """The first rows that do not fit."""
        if not self.short_rows and not self.long_rows:
            return []
        found = self.query(f"SELECT rowid, * FROM cells WHERE {self._odd()} ORDER BY rowid LIMIT {ODD_ROWS}")
        mark = self.dialect.marks.delimiter or " "
        odd = []
        for number, *cells in found:
            written = [cell for cell in cells if cell is not None]
            fields = self._long.get(number + 1, len(written))
            odd.append(OddRow(number + 1, fields, mark.join(written)[:100]))
        return odd

    def _odd(self) -> str:
        return f"c{self.dialect.width - 1} IS NULL OR x0 IS NOT NULL"

    def _count(self) -> None:
        if self._may_be_odd:
            counts = f"count(*), count(*) FILTER (c{self.dialect.width - 1} IS NULL), count(x0)"
            [(self.rows, self.short_rows, self.long_rows)] = self.query(f"SELECT {counts} FROM cells")
        else:
            [(self.rows,)] = self.query("SELECT count(*) FROM cells")
        self.is_large = self.rows >= LONG_TABLE

    def _set_totals_apart(self) -> None:
        """Take totals among the rows out of them, if they add up; else count them. Large tables have none."""
        if self.is_large:
            return
        totals, self.called_total = totals_among(self.query, self.dialect, self.rows)
        if totals:
            self.apart = [Apart("totals", list(totals.values())[:SHOWN], len(totals)), *self.apart]
            self.query(f"DELETE FROM cells WHERE rowid IN ({', '.join(map(str, totals))})")
            self._count()

    def _set_headers_apart(self) -> None:
        """Take out rows that repeat the header, as in files that were put together of several."""
        if count := delete_headers(self.query, self.dialect):
            self.apart = [Apart("headers", [self.dialect.names], count), *self.apart]
            self._count()

    def _create_empty(self) -> None:
        names = [f"c{number} VARCHAR" for number in range(self.dialect.width)]
        self.query(f"CREATE TEMP TABLE cells ({', '.join(names)})")

    def _beginning(self, path: Path, end: int) -> Path:
        """A copy of the first `end` bytes."""
        copy = self.folder / "beginning.csv"
        if path != copy:
            shutil.copyfile(path, copy)
        os.truncate(copy, end)
        return copy

    def _read_fast(self, path: Path, report: Report) -> bool:
        """Let DuckDB read the file as it is. False if rows.py has to read it."""
        marks = self.dialect.marks
        if marks.cuts or marks.delimiter == " " or marks.comment or marks.is_framed:
            return False
        for padded, parallel in WAYS:
            try:
                self._load(_read_csv(path, self.dialect, marks, self.dialect.line, padded, parallel), padded, report)
            except duckdb.Error:
                continue
            if self._holds_all_lines(path, one_each=padded and parallel):
                return True
            if padded:
                return False
        return False

    def _read_carefully(self, path: Path, report: Report) -> None:
        """Write a clean copy of the rows of data, and let DuckDB read that."""
        size, done, number = path.stat().st_size or 1, 0, 0
        rows = Rows(lines_of(path), self.dialect.marks, width=self.dialect.width)
        copy = self.folder / "clean.csv"
        widest = self.dialect.width + EXTRA
        with copy.open("w", encoding="utf-8", newline="") as target:
            writer = csv.writer(target, lineterminator="\n")
            for row in rows:
                if row.line < self.dialect.line:
                    continue
                number += 1
                done += sum(map(len, row.cells))
                writer.writerow(row.cells[:widest])
                if len(row.cells) > widest and len(self._long) < ODD_ROWS:
                    self._long[number] = len(row.cells)
                if number % 10_000 == 0:
                    report(min(done / size, 1) / 2)
        self.mended = rows.mended
        if rows.comments:
            self.apart.append(Apart("comments", [[text[:100]] for text in rows.comments], rows.commented))
        self._has_blank_lines = count_blank_lines(path, skip=self.dialect.line) > 0
        try:
            self._load(_read_csv(copy, self.dialect, CLEAN, 0, True, False), True, lambda done: report(0.5 + done / 2))
        except duckdb.OutOfMemoryException as error:
            raise UnusableInput("This table has too many columns for its number of rows: memory ran out.") from error
        except duckdb.Error as error:
            limit = readable_size(conf.MAX_LINE_BYTES)
            raise UnusableInput(f"This table cannot be read: a row may be longer than {limit}.") from error

    def _load(self, source: str, padded: bool, report: Report) -> None:
        self.run(f"CREATE OR REPLACE TEMP TABLE cells AS {source}", report)
        self._may_be_odd = padded

    def _holds_all_lines(self, path: Path, one_each: bool) -> bool:
        """True if the first row is the one that was expected, and each line of the file is in a row.

        DuckDB drops what follows a mark that is never closed, and says nothing. `one_each`: no row has many lines.
        """
        first = [cell.strip() for cell in self.dialect.rows[0][: self.dialect.width]]
        found = self.first_rows(1)
        if not found or [cell.strip() for cell in found[0][: len(first)]] != first:
            return False
        lines, blank = count_lines(path, skip=self.dialect.line), 0
        [(rows,)] = self.query("SELECT count(*) FROM cells")
        if rows != lines:
            blank = count_blank_lines(path, skip=self.dialect.line)
        self._has_blank_lines = blank > 0
        if rows == lines - blank or one_each:
            return bool(rows == lines - blank)
        breaks = self._count_breaks()
        return bool(lines - blank <= rows + sum(breaks) <= lines) and not self._has_swallowed_rows(breaks)

    def _count_breaks(self) -> list[int]:
        """The number of line breaks in the cells of each column."""
        breaks = [f"sum(length(c{n}) - length(replace(c{n}, chr(10), '')))" for n in range(self.dialect.width)]
        return [int(count or 0) for count in self.query(f"SELECT {', '.join(breaks)} FROM cells")[0]]

    def _has_swallowed_rows(self, breaks: list[int]) -> bool:
        """True if a quoted field holds lines that are rows themselves: its mark was a letter."""
        width, delimiter = self.dialect.width, self.dialect.marks.delimiter
        if width == 1:
            return False
        for number in [number for number, count in enumerate(breaks) if count > SPANNED]:
            lines = f"length(c{number}) - length(replace(c{number}, chr(10), ''))"
            for (text,) in self.query(f"SELECT c{number} FROM cells WHERE {lines} > {SPANNED} LIMIT 100"):
                inner = text.split("\n")[1:-1]
                if all(line.count(delimiter) == width - 1 for line in inner):
                    return True
        return False


def _columns(letter: str, number: int) -> str:
    return ", ".join(f"{letter}{index}" for index in range(number))


def _read_csv(path: Path, dialect: Dialect, marks: Marks, skip: int, padded: bool, parallel: bool) -> str:
    names = [f"'c{number}': 'VARCHAR'" for number in range(dialect.width)]
    names += [f"'x{number}': 'VARCHAR'" for number in range(EXTRA if padded else 0)]
    options = {
        "auto_detect": "false",
        "header": "false",
        "skip": str(skip),
        "delim": quoted(marks.delimiter or NO_DELIMITER),
        "quote": quoted(marks.quote),
        "escape": quoted(marks.escape or marks.quote),
        "columns": "{" + ", ".join(names) + "}",
        "nullstr": quoted(NEVER),
        "null_padding": str(padded).lower(),
        "strict_mode": "true",
        "max_line_size": str(conf.MAX_LINE_BYTES),
        "parallel": str(parallel).lower(),
    }
    return f"FROM read_csv({quoted(str(path))}, {', '.join(f'{key} = {value}' for key, value in options.items())})"
