"""Lines above the header of a table: titles, and pairs of a name and a value."""

from itertools import pairwise

from queueing.tasks.tables.header import is_number
from queueing.tasks.tables.rows import Cells, Row

PAIR = 2  # cells of a line above the table that says something about it
FIRST = 3  # rows of the table below them that are looked at


def pairs_above(rows: list[Row], width: int) -> int:
    """The number of rows with a name and a value each that stand above a blank line, and the table below it."""
    gaps = [number for number, (last, row) in enumerate(pairwise(rows), 1) if row.line > last.line + 1]
    below = gaps[0] if gaps and width > PAIR else 0
    is_above = all(len(row.cells) == PAIR for row in rows[:below])
    is_table = all(len(row.cells) == width for row in rows[below : below + FIRST])
    return below if is_above and is_table and not any(map(is_number, rows[below].cells)) else 0


def is_title(rows: list[Cells], least: int) -> bool:
    """True if the first of these rows is a title, and a header stands below it, or below one more row.

    A spreadsheet filled it up with delimiters, so it has fewer words than there are columns; or it is a sentence: a
    blank follows each delimiter in it, and none in the header.
    """
    title, *below = [[cell for cell in row if cell.strip()] for row in rows]
    headers = [row for row in below if len(row) >= least and not any(map(is_number, row))]
    is_sparse = len(title) * 4 < least * 3 and not is_number(title[0])
    if is_sparse:
        return bool(below) and next(filter(None, below), []) in headers
    return _is_sentence(title) and any(not _has_blank_starts(row) for row in headers)


def _is_sentence(cells: Cells) -> bool:
    is_long = any(" " in cell.strip() for cell in cells)
    return len(cells) > 1 and is_long and all(cell.startswith(" ") for cell in cells[1:])


def _has_blank_starts(cells: Cells) -> bool:
    return any(cell.startswith(" ") for cell in cells)
