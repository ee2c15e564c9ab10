"""Tables on a page: which levels are rows of one, and to which columns their cells belong.

A level is what stands side by side across the page; its runs are lines, with wide gaps between them. The unit of all
lengths is the height of a usual line.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

from queueing.tasks.documents.reading_order import Box

# A table is recognised by its gaps: at least LEAST_ROWS consecutive levels, each with more than GAPS of its width in
# gaps, or with figures at its end: all but one of its runs are narrow, and the last one has a digit, as in a receipt.
# Columns of prose have far smaller gaps, and are wide. A table is read row by row; prose is read column by column.
LEAST_ROWS = 3
GAPS = 1 / 3
NARROW = 8.0


class Run(Protocol):
    """A part of a level without a wide gap."""

    @property
    def box(self) -> Box: ...
    @property
    def text(self) -> str: ...


def marked(levels: Sequence[Sequence[Run]]) -> list[bool]:
    """For each level, given by its runs from left to right: whether it lies in a table.

    Between two rows may be a level of a single run: a heading, or the second line of a cell.
    """
    may_be = list(map(_may_be_row, levels))
    inside = [
        is_row or (len(level) == 1 and before and after)
        for level, before, is_row, after in zip(levels, [False, *may_be], may_be, [*may_be[1:], False], strict=False)
    ]
    for begin, end in _stretches(inside):
        if sum(may_be[begin:end]) < LEAST_ROWS:
            inside[begin:end] = [False] * (end - begin)
    return inside


def _stretches(inside: Sequence[bool]) -> list[tuple[int, int]]:
    """The beginning and the end of each stretch of levels that are inside."""
    edges = [index for index, (one, two) in enumerate(pairwise([False, *inside, False])) if one != two]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _may_be_row(runs: Sequence[Run]) -> bool:
    if len(runs) < 2:
        return False
    gaps = sum(right.box[0] - left.box[2] for left, right in pairwise(runs))
    return gaps > GAPS * (runs[-1].box[2] - runs[0].box[0]) or _ends_in_figures(runs)


def _ends_in_figures(runs: Sequence[Run]) -> bool:
    wide = [run for run in runs if _width(run) > NARROW]
    return len(wide) <= 1 and runs[-1] not in wide and any(map(str.isdigit, runs[-1].text))


def cells[R: Run](rows: Sequence[Sequence[R]]) -> list[list[R | None]]:
    """The runs of each row by columns; None stands for an empty cell before the row's last one.

    The rows with the most runs say where the columns are. If they do not agree, each row is as it is.
    """
    most = max(map(len, rows))
    columns = _merged([run for row in rows if len(row) == most for run in row])
    if len(columns) < most:
        return [list(row) for row in rows]
    return [_in_columns(row, columns) for row in rows]


def _merged(runs: Sequence[Run]) -> list[tuple[float, float]]:
    """The left and right ends of the columns: of runs that share some width."""
    columns: list[tuple[float, float]] = []
    for left, right in sorted((run.box[0], run.box[2]) for run in runs):
        if columns and left < columns[-1][1]:
            columns[-1] = (columns[-1][0], max(columns[-1][1], right))
        else:
            columns.append((left, right))
    return columns


def _in_columns[R: Run](row: Sequence[R], columns: Sequence[tuple[float, float]]) -> list[R | None]:
    placed: list[R | None] = []
    for run in row:
        column = min(range(len(columns)), key=lambda index: _distance(run, *columns[index]))
        placed += [None] * (column - len(placed))
        placed.append(run)
    return placed


def _distance(run: Run, left: float, right: float) -> float:
    """The gap between a run and a column; below zero if they share some width."""
    return max(left - run.box[2], run.box[0] - right)


def _width(run: Run) -> float:
    return run.box[2] - run.box[0]
