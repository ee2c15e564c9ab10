"""The types that the modules of this task share: a document, its page pictures and the lines found on them."""

from dataclasses import dataclass
from typing import Protocol

from PIL import Image

# Pixels of the long side of a page picture. 2000 pixels are 170 dpi on A4, enough to read ten-point print well. A page
# takes one to two seconds of one core; with 2,400 pixels it takes half as much again.
LONG_SIDE = 2000
A4_LONG_SIDE = 842.0  # points, 1/72 inch

Point = tuple[float, float]
Corners = tuple[Point, Point, Point, Point]  # of the text: top left, top right, bottom right, bottom left


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text as the engine recognised it."""

    text: str
    confidence: float  # 0..1
    corners: Corners  # in pixels of the page picture
    is_stamp: bool = False  # it lies across other lines

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The upright box around the line: left, top, right, bottom; pixels of the page picture."""
        xs, ys = zip(*self.corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)


class Document(Protocol):
    """An open document. A page picture is decoded when `picture` is called."""

    @property
    def page_count(self) -> int: ...

    def picture(self, index: int) -> Image.Image:
        """The page picture in RGB, its long side at most LONG_SIDE. Raises UnusableInput if the page is damaged."""
        ...

    def paper(self, index: int) -> float:
        """The long side of the page's paper, in points (1/72 inch)."""
        ...
