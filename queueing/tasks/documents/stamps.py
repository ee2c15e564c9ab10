"""Coloured ink across dark text: stamps, seals, marker pens. Both are parted, so that neither spoils the other.

A coloured word inside a line stays where it is: it does not touch the dark letters.
"""

from dataclasses import dataclass
from typing import Any

COLOUR = 40  # least difference between the strongest and the weakest of red, green and blue, of 255
DARK = 110  # by so much text is darker than the paper, in each of the three
DARKEST = 100  # text below a stamp is darker than this; a thin coloured stroke in a JPEG is not
MOST = 0.4  # share of a page; coloured paper and photos have more
LEAST = 400  # pixels of a stamp
NEAR = 25  # pixels between parts of one stamp
TOUCHING = 0.02  # share of a stamp's ink that lies on text or beside it
INSIDE = 0.7  # share of a dark mark that lies in colour or beside it, if the mark is no letter
SOLID = 0.5  # share of its box that a marker pen fills; strokes fill less
HOLES = (5, 9)  # pixels; in a stamp's strokes: of pale ink, of text that crosses them


@dataclass(frozen=True, slots=True)
class Parted:
    """A page whose stamps were taken off."""

    text: Any  # the page without the stamps
    stamps: Any  # the stamps alone


def parted(pixels: Any) -> Parted | None:
    """The page in two; None if no coloured ink lies across its text."""
    import cv2
    import numpy as np

    blue, green, red = cv2.split(pixels)  # numpy takes twenty times as long along an axis of three
    strongest, weakest = (extreme(extreme(blue, green), red) for extreme in (cv2.max, cv2.min))
    coloured = cv2.subtract(strongest, weakest) > COLOUR
    if not LEAST < np.count_nonzero(coloured) < MOST * coloured.size:
        return None
    paper = np.median(pixels[::8, ::8], axis=(0, 1)).astype(np.uint8)
    dark = strongest < np.where(coloured, DARKEST, int(paper.max()) - DARK)
    coloured &= ~dark
    ink, solid = _across(coloured.astype(np.uint8), dark.astype(np.uint8))
    if not (ink | solid).any():
        return None
    text, stamps = pixels.copy(), np.empty_like(pixels)
    text[(cv2.dilate(ink | solid, np.ones((5, 5), np.uint8)) > 0) & ~dark] = paper
    stamps[:] = paper
    even, whole = (cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8)) > 0 for side in HOLES)
    whole = even | (whole & dark)
    stamps[whole] = np.median(pixels[ink > 0], axis=0) if ink.any() else paper
    return Parted(text, stamps)


def _across(coloured: Any, dark: Any) -> tuple[Any, Any]:
    """Masks of the coloured ink that lies across dark ink: of strokes, and of what fills its box like a marker pen."""
    import cv2
    import numpy as np

    near = cv2.dilate(coloured, np.ones((NEAR, NEAR), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(near)
    labels *= coloured
    touching = cv2.dilate(_letters(dark, coloured), np.ones((5, 5), np.uint8)) & coloured
    places: Any = labels.ravel()
    inks = np.bincount(places, minlength=count)
    touches = np.bincount(places, weights=touching.ravel(), minlength=count)
    boxes = stats[:, cv2.CC_STAT_WIDTH] * stats[:, cv2.CC_STAT_HEIGHT]
    is_across = (inks > LEAST) & (touches > TOUCHING * inks)
    is_across[0] = False  # the paper
    is_solid = inks > SOLID * boxes
    return (is_across & ~is_solid)[labels].astype(np.uint8), (is_across & is_solid)[labels].astype(np.uint8)


def _letters(dark: Any, coloured: Any) -> Any:
    """The dark ink without the cores of coloured strokes, which are dark in a JPEG: these lie wholly in colour."""
    import cv2
    import numpy as np

    count, labels = cv2.connectedComponents(dark)
    places: Any = labels.ravel()
    areas = np.bincount(places, minlength=count)
    inside = np.bincount(places, weights=cv2.dilate(coloured, np.ones((7, 7), np.uint8)).ravel(), minlength=count)
    return dark & (inside < INSIDE * areas)[labels]
