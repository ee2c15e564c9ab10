"""What the modules of this task hand to each other."""

from dataclasses import dataclass
from typing import Protocol

from PIL import Image

# Pixels of a page picture's long side: 170 dpi on A4, where ten-point print is read well. A page takes about 4.5 s of
# one core; with 2,400 it would be half as much again.
LONG_SIDE = 2000
A4_LONG_SIDE = 842.0  # points, 1/72 inch

Point = tuple[float, float]
Corners = tuple[Point, Point, Point, Point]  # as one reads: top left, top right, bottom right, bottom left


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text as the engine saw it."""

    text: str
    confidence: float  # 0..1
    corners: Corners  # in pixels of the page picture

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        xs, ys = zip(*self.corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)


class Document(Protocol):
    """An open document: page pictures in order, decoded when they are asked for."""

    @property
    def page_count(self) -> int: ...

    def picture(self, index: int) -> Image.Image:
        """A page in RGB, its long side at most LONG_SIDE. Raises UnusableInput when the page is broken."""
        ...

    def paper(self, index: int) -> float:
        """The long side of the page's paper, in points."""
        ...
