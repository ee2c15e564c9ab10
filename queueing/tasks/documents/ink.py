"""Ink on a page picture: where there is something that could be text, and no line explains it.

The detector misses a line or two on an otherwise empty page, because it looks at the whole page at once and from afar.
What is ink and lies in none of its boxes is looked at again, from nearer.

All boxes here are left, top, right, bottom; pixels of the page picture.
"""

from collections.abc import Sequence
from typing import Any

Region = tuple[int, int, int, int]

CONTRAST = 48  # least difference from the paper around it, of 255 levels of grey
PAPER_WINDOW = 61  # pixels; ink that is broader than half of it is a picture or a shadow
LETTER_HEIGHTS = (7, 160)  # pixels
LONGEST_RULE = 12  # a mark that is so many times longer than high is a rule
EXPLAINED = 0.5  # share of a mark that lies in boxes of lines
AROUND = 40  # pixels around the ink of a region
NEAR = 100  # pixels; words that are nearer than that are looked at together
MOST_REGIONS = 4  # looked at again on a page: each takes as long as a small page


def unexplained(pixels: Any, boxes: Sequence[Any]) -> list[Region]:
    """The regions of a page with marks of the size of letters that lie in none of the boxes, the largest first."""
    import cv2
    import numpy as np

    marks = _marks(_ink(pixels), boxes)
    if not marks.any():
        return []
    near = cv2.dilate(marks, np.ones((NEAR // 2, NEAR), np.uint8))
    _, _, found, _ = cv2.connectedComponentsWithStats(near)
    largest = sorted(found[1:], key=lambda region: -region[cv2.CC_STAT_AREA])[:MOST_REGIONS]
    height, width = marks.shape
    return [_widened(region, width, height) for region in largest]


def alone(pixels: Any, boxes: Sequence[Any], region: Region) -> Any:
    """The region, without the lines that are known: they are painted over with paper."""
    import cv2
    import numpy as np

    left, top, right, bottom = region
    part = pixels[top:bottom, left:right].copy()
    paper = np.median(part.reshape(-1, 3), axis=0).tolist()
    for box in boxes:
        cv2.fillPoly(part, [(np.asarray(box) - (left, top)).astype(np.int32)], paper)
    return part


def _ink(pixels: Any) -> Any:
    """A mask of what differs from the paper around it; light letters on a dark ground are ink too."""
    import cv2
    import numpy as np

    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    paper = cv2.medianBlur(small, PAPER_WINDOW // 4 * 2 + 1)
    paper = cv2.resize(paper, (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_LINEAR)
    mask: Any = (cv2.absdiff(grey, paper) > CONTRAST).astype(np.uint8)
    return mask


def _marks(ink: Any, boxes: Sequence[Any]) -> Any:
    """A mask of the words of letters' size that the boxes leave out."""
    import cv2
    import numpy as np

    known = np.zeros_like(ink)
    for box in boxes:
        cv2.fillPoly(known, [np.asarray(box).astype(np.int32)], 1)
    known = cv2.dilate(known, np.ones((9, 9), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    inside = np.bincount(labels.ravel(), weights=known.ravel(), minlength=len(stats))
    widths, heights, areas = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT], stats[:, cv2.CC_STAT_AREA]
    is_letter = (
        (heights >= LETTER_HEIGHTS[0])
        & (heights <= LETTER_HEIGHTS[1])
        & (widths <= LETTER_HEIGHTS[1])
        & (np.maximum(widths, heights) <= LONGEST_RULE * np.maximum(np.minimum(widths, heights), 1))
        & (inside < EXPLAINED * areas)
    )
    is_letter[0] = False  # the paper
    mask: Any = is_letter[labels].astype(np.uint8)
    return mask


def _widened(region: Any, width: int, height: int) -> Region:
    import cv2

    left, top = int(region[cv2.CC_STAT_LEFT]), int(region[cv2.CC_STAT_TOP])
    right, bottom = left + int(region[cv2.CC_STAT_WIDTH]), top + int(region[cv2.CC_STAT_HEIGHT])
    return max(0, left - AROUND), max(0, top - AROUND), min(width, right + AROUND), min(height, bottom + AROUND)
