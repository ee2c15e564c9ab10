"""The layout of a page: orders its lines of text into rows and paragraphs, and joins these to text."""

import cmath
import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby, pairwise
from operator import itemgetter

from queueing.tasks.documents import tables
from queueing.tasks.documents.page import Line
from queueing.tasks.documents.reading_order import Box, reading_order

# The unit of all lengths and boxes in this module is the height of a usual line on the page.
LEVEL = 0.5  # lines are on one level if their middles differ by at most this
WORD_GAP = 1.0  # pieces on one level belong to one line if the gap between them is at most this
SHARED_WIDTH = 0.5  # boxes are above each other if they share more width than this, else beside each other
PARAGRAPH_GAP = 0.4  # a paragraph begins where the gap between rows exceeds the usual gap by more than this
HEADING_GAP = 1.5  # the gap between a heading and its text is smaller than this
ASKEW = math.radians(8)  # a line that is turned by more than this against the page is a stamp
LONG = 1.5  # width by height of a line whose angle is exact enough to say so
TALL = 1.5  # what covers other lines is at least so high


@dataclass(frozen=True, slots=True)
class Piece:
    """A line as the engine found it, with its box on the page after the page was turned level."""

    line: Line
    box: Box
    is_askew: bool = False  # against the page

    @property
    def middle(self) -> float:
        """The height of its middle, from the top of the page."""
        return (self.box[1] + self.box[3]) / 2


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the page, in one piece or several, or a row of a table."""

    pieces: Sequence[Piece]
    cells: Sequence["Row | None"] = ()  # of a table
    box: Box = field(init=False)

    def __post_init__(self) -> None:
        lefts, tops, rights, bottoms = zip(*(piece.box for piece in self.pieces), strict=True)
        object.__setattr__(self, "box", (min(lefts), min(tops), max(rights), max(bottoms)))

    @property
    def text(self) -> str:
        """Cells of a table are separated by tabs, so that they can be pasted into a spreadsheet."""
        if self.cells:
            return "\t".join(cell.text if cell else "" for cell in self.cells)
        return " ".join(piece.line.text for piece in self.pieces)


def rows(lines: Sequence[Line]) -> list[Row]:
    """The rows of a page in reading order, made from its lines. What lies across other lines comes last."""
    if not lines:
        return []
    pieces = _straightened(lines)
    across = [piece for piece in pieces if _is_across(piece, pieces)]
    text = [piece for piece in pieces if piece not in across]
    return [*_ordered(text), *_ordered(across)]


def _ordered(pieces: Sequence[Piece]) -> list[Row]:
    if not pieces:
        return []
    levels = list(_rows_by_level(_levels(pieces)))
    boxes = list(_boxes(levels))
    found = list(chain.from_iterable(levels))
    return [found[index] for index in reading_order(boxes, tolerance=SHARED_WIDTH)]


def text(ordered: Sequence[Row]) -> str:
    """The text of a page: one line per row, an empty line between paragraphs and between columns."""
    gaps = [_gap(above, below) for above, below in pairwise(ordered)]
    usual = statistics.median([gap for gap in gaps if gap is not None] or [0])
    parts = [row.text for row in ordered[:1]]
    for row, gap in zip(ordered[1:], gaps, strict=True):
        parts.append("\n" if gap is not None and gap <= usual + PARAGRAPH_GAP else "\n\n")
        parts.append(row.text)
    return "".join(parts)


def _gap(above: Row, below: Row) -> float | None:
    """The vertical gap between two rows; None if the second does not lie below the first."""
    shared = min(above.box[2], below.box[2]) - max(above.box[0], below.box[0])
    if shared <= SHARED_WIDTH or below.box[1] < above.box[1]:
        return None
    return below.box[1] - above.box[3]


# Lines -> levels


def _is_across(piece: Piece, pieces: Sequence[Piece]) -> bool:
    """True for a stamp: it is askew, or covers the middle of two other lines. In a row it would push these apart."""
    if piece.is_askew or piece.line.is_stamp:
        return True
    left, top, right, bottom = piece.box
    if bottom - top < TALL:
        return False
    covered = [
        other
        for other in pieces
        if top < other.middle < bottom and min(right, other.box[2]) - max(left, other.box[0]) > SHARED_WIDTH
    ]
    return len(covered) > 2  # the piece itself is one


def _straightened(lines: Sequence[Line]) -> list[Piece]:
    """The lines from top to bottom, with their boxes on a page that is turned level."""
    height = statistics.median(math.dist(line.corners[0], line.corners[3]) for line in lines) or 1
    turn = complex(math.cos(_slope(lines)), -math.sin(_slope(lines))) / height
    pieces = []
    for line in lines:
        points = [complex(x, y) * turn for x, y in line.corners]
        xs, ys = [point.real for point in points], [point.imag for point in points]
        along, down = points[1] - points[0], points[3] - points[0]
        is_askew = abs(cmath.phase(along or 1)) > ASKEW and abs(along) > LONG * abs(down)
        pieces.append(Piece(line, (min(xs), min(ys), max(xs), max(ys)), is_askew))
    return sorted(pieces, key=lambda piece: piece.middle)


def _slope(lines: Sequence[Line]) -> float:
    """The angle by which the page is askew, in radians. Only the longest third of the lines counts.

    The angle of a short line is too inexact.
    """
    longest = sorted(lines, key=lambda line: math.dist(*line.corners[:2]), reverse=True)[: max(1, len(lines) // 3)]
    return statistics.median(
        math.atan2(right[1] - left[1], right[0] - left[0]) for left, right, *_ in (line.corners for line in longest)
    )


def _levels(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Group the pieces into levels. A level is all pieces side by side across the page, from left to right."""
    level: list[Piece] = []
    for piece in pieces:
        if level and piece.middle - statistics.fmean(other.middle for other in level) > LEVEL:
            yield sorted(level, key=lambda piece: piece.box[0])
            level = []
        level.append(piece)
    yield sorted(level, key=lambda piece: piece.box[0])


# Levels -> rows


def _rows_by_level(levels: Iterable[list[Piece]]) -> Iterator[list[Row]]:
    """The rows of each level: one for a level of a table, else one for each line on it."""
    lines = [[Row(run) for run in _runs(level)] for level in levels]
    for is_table, group in groupby(zip(tables.marked(lines), lines, strict=True), key=itemgetter(0)):
        same = [level for _, level in group]
        if is_table:
            cells = iter(tables.cells([level for level in same if len(level) > 1]))
            yield from (level if len(level) == 1 else [_row_of_table(level, next(cells))] for level in same)
        else:
            yield from same


def _row_of_table(level: Sequence[Row], cells: Sequence[Row | None]) -> Row:
    return Row([piece for line in level for piece in line.pieces], cells)


def _runs(level: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Group the pieces of one level into lines. The engine splits a line at wide spaces."""
    run = [level[0]]
    for piece in level[1:]:
        if piece.box[0] - run[-1].box[2] > WORD_GAP:
            yield run
            run = []
        run.append(piece)
    yield run


def _boxes(levels: Sequence[Sequence[Row]]) -> Iterator[Box]:
    """The box of each row. The box of a heading is widened to the width of the text below it.

    Without that, a heading below two columns would be read as the end of the left column.
    """
    for above, level, below in zip([[], *levels], levels, [*levels[1:], []], strict=False):
        for row in level:
            left, top, right, bottom = row.box
            if len(level) == len(below) == 1 and _is_heading(above, row, below[0]):
                left, right = min(left, below[0].box[0]), max(right, below[0].box[2])
            yield left, top, right, bottom


def _is_heading(above: Sequence[Row], row: Row, below: Row) -> bool:
    """True if the row is nearer to the row below than to every row above. The row is the only one on its level."""
    gap = _gap(row, below)
    limits = (_gap(other, row) for other in above)
    return gap is not None and gap < min([HEADING_GAP, *(limit for limit in limits if limit is not None)])
