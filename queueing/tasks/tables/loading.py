"""Loads a UTF-8 table into a DuckDB database in the temporary folder: one column of text for each column of the table.

DuckDB reads the file itself, with strict rules. Where it refuses, or where its reading differs at the ends of the file
from that of rows.py, the careful reader writes a clean copy, and DuckDB reads that.
"""

import csv
import os
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from queueing.exceptions import UnusableInput
from queueing.sizes import readable_size
from queueing.tasks.tables.apart import Apart, end_at_blank_row, end_of_rows
from queueing.tasks.tables.conf import conf
from queueing.tasks.tables.dialect import Dialect
from queueing.tasks.tables.numeric import quoted
from queueing.tasks.tables.rows import NO_DELIMITER, SPANNED, Cells, Marks, Rows, lines_of

MEMORY = "256MB"  # of DuckDB's buffers; it writes to the temporary folder beyond that
EXTRA = 8  # columns for the cells of rows that are too long; the careful reader cuts longer rows
ODD_ROWS = 5  # rows that do not fit, kept to be shown
BLOCK = 1024**2
LONG_TABLE = 200_000  # rows, from which on a statement may take long
POLL = 0.1  # seconds between two reports of progress
# DuckDB reads this text as NULL. An empty cell is no NULL then, so NULL tells where a row is too short.
NEVER = "\x02never\x02"
BLANKS = " \t\r\n\u00a0"  # no part of a value at its ends
CLEAN = Marks(delimiter=",")

type Report = Callable[[float], None]  # gets the part that is done, 0 to 1; its exceptions pass through


@dataclass(frozen=True, slots=True)
class OddRow:
    """A row of data with another number of fields than the table has columns."""

    row: int  # 1 for the first row of data
    fields: int
    text: str


class Table:
    """A table whose rows are in the DuckDB table "cells", in their order: columns c0, c1 ... of text."""

    def __init__(self, folder: Path, dialect: Dialect) -> None:
        self.folder = folder
        self.dialect = dialect
        self.tick: Callable[[], None] = lambda: None  # called while a statement runs; its exceptions pass through
        self.rows = 0
        self.short_rows = 0
        self.long_rows = 0
        self.mended = 0  # quotation marks that were taken for letters
        self.apart: list[Apart] = []
        self._has_blank_lines = False
        self._breaks: list[int] = []  # line breaks in the cells of each column
        self._long: dict[int, int] = {}  # fields of the first rows that were cut, by their numbers
        self._database = folder / "table.duckdb"
        self.connection = duckdb.connect(
            str(self._database),
            config={
                "memory_limit": MEMORY,
                "threads": min(4, len(os.sched_getaffinity(0))),
                "temp_directory": str(folder / "spilled"),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        # `query_progress` needs the progress bar, which would go to the standard output.
        self.connection.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
        # Compressing costs as much as reading the file, and the database is deleted in the end.
        self.connection.execute("SET force_compression = 'uncompressed'; SET TimeZone = 'UTC'")

    def __enter__(self) -> "Table":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

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

    def _read(self, path: Path, report: Report) -> None:
        self.mended, self._long = 0, {}
        self.apart = [part for part in self.apart if part.what != "comments"]
        if not self._read_fast(path, report):
            self._read_carefully(path, report)

    def _has_blank_rows(self) -> bool:
        """True if there may be blank rows, below which something else may stand."""
        empty = " AND ".join(f"coalesce(c{number}, '') = ''" for number in range(self.dialect.width))
        return self._has_blank_lines or bool(self.query(f"SELECT 1 FROM cells WHERE {empty} LIMIT 1"))

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows that a statement returns. With many rows, `tick` is called while it runs."""
        if self.rows < LONG_TABLE:
            return self.connection.execute(sql).fetchall()
        return self._in_thread(lambda: self.connection.execute(sql).fetchall(), lambda _: self.tick())

    def first_rows(self, number: int) -> list[Cells]:
        """The first rows of data, as wide as the table."""
        width = self.dialect.width
        found = self.query(f"SELECT {_columns('c', width)} FROM cells ORDER BY rowid LIMIT {number}")
        return [["" if cell is None else cell for cell in row] for row in found]

    def odd_rows(self) -> list[OddRow]:
        """The first rows that do not fit."""
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
        last = self.dialect.width - 1
        counts = f"count(*), count(*) FILTER (c{last} IS NULL), count(x0)"
        [(self.rows, self.short_rows, self.long_rows)] = self.query(f"SELECT {counts} FROM cells")

    def _create_empty(self) -> None:
        names = [f"c{number} VARCHAR" for number in range(self.dialect.width)]
        extra = [f"x{number} VARCHAR" for number in range(EXTRA)]
        self.connection.execute(f"CREATE TABLE cells ({', '.join(names + extra)})")

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
        if marks.cuts or marks.delimiter == " " or marks.comment:
            return False
        for parallel in (True, False):  # fields over many lines are read by one thread only
            try:
                self._run(_read_csv(path, self.dialect, marks, self.dialect.line, parallel=parallel), report)
            except duckdb.Error:
                continue
            return self._holds_all_lines(path, parallel) and (parallel or not self._has_swallowed_rows())
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
        self._has_blank_lines = _count_blank_lines(path, skip=self.dialect.line) > 0
        try:
            self._run(_read_csv(copy, self.dialect, CLEAN, 0, parallel=False), lambda done: report(0.5 + done / 2))
        except duckdb.Error as error:
            limit = readable_size(conf.MAX_LINE_BYTES)
            raise UnusableInput(f"This table cannot be read: a row may be longer than {limit}.") from error

    def _run(self, sql: str, report: Report) -> None:
        self._in_thread(lambda: self.connection.execute(f"CREATE OR REPLACE TABLE cells AS {sql}"), report)

    def _in_thread[T](self, work: Callable[[], T], report: Report) -> T:
        """Do it in a thread, so that its progress can be reported and the visitor's leaving ends it."""
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(work)
            try:
                while not wait([future], POLL).done:
                    report(max(self.connection.query_progress(), 0) / 100)
            except BaseException:
                self.connection.interrupt()
                raise
            return future.result()

    def _holds_all_lines(self, path: Path, one_each: bool) -> bool:
        """True if the first row is the one that was expected, and each line of the file is in a row.

        DuckDB drops what follows a mark that is never closed, and says nothing. `one_each`: no row has many lines.
        """
        first = [cell.strip() for cell in self.dialect.rows[0][: self.dialect.width]]
        found = self.first_rows(1)
        if not found or [cell.strip() for cell in found[0][: len(first)]] != first:
            return False
        lines, blank = _count_lines(path, skip=self.dialect.line), 0
        [(rows,)] = self.query("SELECT count(*) FROM cells")
        if rows != lines:
            blank = _count_blank_lines(path, skip=self.dialect.line)
        self._has_blank_lines = blank > 0
        if one_each:
            return bool(rows == lines - blank)
        self._breaks = self._count_breaks()
        return bool(lines - blank <= rows + sum(self._breaks) <= lines)

    def _count_breaks(self) -> list[int]:
        """The number of line breaks in the cells of each column."""
        breaks = [f"sum(length(c{n}) - length(replace(c{n}, chr(10), '')))" for n in range(self.dialect.width)]
        return [int(count or 0) for count in self.query(f"SELECT {', '.join(breaks)} FROM cells")[0]]

    def _has_swallowed_rows(self) -> bool:
        """True if a quoted field holds lines that are rows themselves: its mark was a letter."""
        width, delimiter = self.dialect.width, self.dialect.marks.delimiter
        if width == 1:
            return False
        for number in [number for number, breaks in enumerate(self._breaks) if breaks > SPANNED]:
            lines = f"length(c{number}) - length(replace(c{number}, chr(10), ''))"
            for (text,) in self.query(f"SELECT c{number} FROM cells WHERE {lines} > {SPANNED} LIMIT 100"):
                inner = text.split("\n")[1:-1]
                if all(line.count(delimiter) == width - 1 for line in inner):
                    return True
        return False


def _columns(letter: str, number: int) -> str:
    return ", ".join(f"{letter}{index}" for index in range(number))


def _read_csv(path: Path, dialect: Dialect, marks: Marks, skip: int, *, parallel: bool) -> str:
    names = [f"'c{number}': 'VARCHAR'" for number in range(dialect.width)]
    names += [f"'x{number}': 'VARCHAR'" for number in range(EXTRA)]
    options = {
        "auto_detect": "false",
        "header": "false",
        "skip": str(skip),
        "delim": quoted(marks.delimiter or NO_DELIMITER),
        "quote": quoted(marks.quote),
        "escape": quoted(marks.escape or marks.quote),
        "columns": "{" + ", ".join(names) + "}",
        "nullstr": quoted(NEVER),
        "null_padding": "true",
        "strict_mode": "true",
        "max_line_size": str(conf.MAX_LINE_BYTES),
        "parallel": str(parallel).lower(),
    }
    return f"FROM read_csv({quoted(str(path))}, {', '.join(f'{key} = {value}' for key, value in options.items())})"


def _count_lines(path: Path, *, skip: int) -> int:
    """The number of lines of a file behind the first `skip`."""
    lines, last = 0, b"\n"
    for block in _blocks(path, skip):
        lines += block.count(b"\n")
        last = block[-1:]
    return lines + (last != b"\n")


def _count_blank_lines(path: Path, *, skip: int) -> int:
    blank, last = 0, b"\n"
    for block in _blocks(path, skip):
        blank += len(re.findall(rb"(?<=\n)\r?\n", last + block))
        last = block[-1:]
    return blank


def _blocks(path: Path, skip: int) -> Iterator[bytes]:
    """The file in blocks, without its first `skip` lines."""
    with path.open("rb") as file:
        for _ in range(skip):
            file.readline()
        while block := file.read(BLOCK):
            yield block
