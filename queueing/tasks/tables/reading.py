"""Reads a UTF-8 table as blocks of rows.

Regular blocks, in which every row has the right number of fields, are read by polars; the others by the csv module.
Polars is ten times as fast, but it fails on a stray quotation mark and does not report which rows were short.
"""

import csv
import io
from collections.abc import Iterator
from contextlib import suppress
from itertools import batched, chain
from pathlib import Path

import polars as pl

from queueing.exceptions import UnusableInput
from queueing.sizes import readable_size
from queueing.tasks.tables.conf import conf
from queueing.tasks.tables.dialect import Dialect
from queueing.tasks.tables.header import Row

# Bytes of one block: BLOCK_PER_COLUMN for each column, within the two limits. With few columns, small blocks keep the
# time between two progress reports short; with many, large blocks pay for the overhead of each. Memory grows with
# MOST_BLOCK.
BLOCK_PER_COLUMN, LEAST_BLOCK, MOST_BLOCK = 1024**2, 4 * 1024**2, 16 * 1024**2
SLOW_CELLS = 200_000  # cells in one frame of the csv module


class Reader:
    """Reads a table once, from its first row to its last. The counts are complete after the last frame.

    `sniff` must have run in this process before: it sets the field limit of the csv module.
    """

    def __init__(self, path: Path, dialect: Dialect) -> None:
        self.path = path
        self.dialect = dialect
        self.width = len(dialect.names)
        self.rows = 0  # rows of data
        self.ragged = 0  # rows of data with more or fewer fields than the table has columns
        self.done = dialect.start  # bytes read
        self._skip = dialect.skip  # rows still to be skipped: titles and header
        self._lines = int(dialect.start > 0)  # newlines passed, for error messages
        self._rest = b""  # bytes after the last complete row; they begin the next block

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield blocks of rows: frames with one String column per column of the table.

        Raises UnusableInput for a quotation mark that is never closed, or a line longer than MAX_LINE_BYTES.
        """
        with self.path.open("rb") as file:
            file.seek(self.dialect.start)
            size = min(max(self.width * BLOCK_PER_COLUMN, LEAST_BLOCK), MOST_BLOCK)
            while block := file.read(size):
                yield from self._frames(self._rest + block, last=False)
        yield from self._frames(self._rest, last=True)

    def _frames(self, block: bytes, *, last: bool) -> Iterator[pl.DataFrame]:
        end = len(block) if last else _end_of_row(block)
        frame = self._read_fast(block[:end]) if len(block) - end <= conf.MAX_LINE_BYTES else None
        if frame is not None:
            self._rest = block[end:]
            yield self._without_titles(frame)
        else:
            end = len(block) if last else block.rfind(b"\n") + 1
            yield from self._read_slowly(block[:end])
            self._rest += block[end:]
        self.done += len(block) - len(self._rest)
        self._lines += block.count(b"\n") - self._rest.count(b"\n")
        if len(self._rest) > conf.MAX_LINE_BYTES or (last and self._rest):
            raise UnusableInput(self._why_unreadable())

    def _read_fast(self, block: bytes) -> pl.DataFrame | None:
        """The block as polars reads it; None if the csv module has to read it."""
        rows = _regular_rows(block, self.dialect.delimiter, self.width)
        if not rows:
            return None
        try:
            frame = pl.read_csv(
                block,
                has_header=False,
                separator=self.dialect.delimiter,
                schema={f"{number}": pl.String for number in range(self.width)},
                empty_string_is_null=False,
            )
        except pl.exceptions.PolarsError:
            return None
        return frame if frame.height == rows else None

    def _without_titles(self, frame: pl.DataFrame) -> pl.DataFrame:
        frame = frame.slice(self._skip)
        self._skip = 0
        self.rows += frame.height
        return frame

    def _read_slowly(self, block: bytes) -> Iterator[pl.DataFrame]:
        for rows in batched(self._parsed(block), max(1, SLOW_CELLS // self.width)):
            self.rows += len(rows)
            yield pl.DataFrame(
                [pl.Series(f"{number}", column, pl.String) for number, column in enumerate(zip(*rows, strict=True))]
            )

    def _parsed(self, block: bytes) -> Iterator[Row]:
        """Yield rows of data, each as wide as the table. An unfinished row at the end goes to `_rest`."""
        lines = io.StringIO(block.decode(), newline="").readlines()
        # Add a blank line as a sentinel: a row that swallows it has an open quotation mark, so it is unfinished.
        reader = csv.reader(chain(lines, ["\n"]), delimiter=self.dialect.delimiter)
        read = 0
        # A field longer than the limit raises csv.Error. Its row stays in `_rest`, and `_frames` finds that too long.
        with suppress(csv.Error):
            for row in reader:
                if reader.line_num > len(lines):
                    break
                read = reader.line_num
                if row and not self._is_title():
                    yield self._fitted(row)
        self._rest = "".join(lines[read:]).encode()

    def _is_title(self) -> bool:
        if not self._skip:
            return False
        self._skip -= 1
        return True

    def _fitted(self, row: Row) -> Row:
        missing = self.width - len(row)
        if not missing:
            return row
        self.ragged += 1
        return row[: self.width] + [""] * missing

    def _why_unreadable(self) -> str:
        """The sentence for a row that never ends, with the number of the line where it begins."""
        line = f"{self._lines + 1:,}"
        if b'"' in self._rest:
            return f"A quotation mark in line {line} is opened and never closed, so the table cannot be read."
        return f"Line {line} is longer than {readable_size(conf.MAX_LINE_BYTES)}, so the table cannot be read."


def _end_of_row(block: bytes) -> int:
    """The end of the last complete row: behind a newline with an even number of quotation marks before it."""
    end = block.rfind(b"\n") + 1
    odd = block.count(b'"', 0, end) % 2
    while odd and end > 0:
        start = block.rfind(b"\n", 0, end - 1) + 1
        odd ^= block.count(b'"', start, end) % 2
        end = start
    return end


def _regular_rows(block: bytes, delimiter: str, width: int) -> int:
    """The number of rows, if every row has `width` fields and both readers agree on them; else 0.

    Splitting the block at quotation marks puts quoted text into every second piece; delimiters and newlines there do
    not count. A quotation mark in the middle of a field makes the block irregular, because polars and the csv module
    read it differently.
    """
    mark = delimiter.encode()
    pieces = block.split(b'"')
    if len(pieces) % 2 == 0 or (len(pieces) > 1 and width == 1):
        return 0
    before_field = mark + b"\r\n"
    if any(piece and piece[-1] not in before_field for piece in pieces[:-1:2]):
        return 0
    # A carriage return alone ends a row for the csv module, and none for polars.
    if any(piece.count(b"\r") != piece.count(b"\r\n") for piece in pieces[::2]):
        return 0
    lines = b"".join(pieces[::2]).splitlines()
    regular = all(lines) and {line.count(mark) for line in lines} == {width - 1}
    return len(lines) if regular else 0
