"""The orientation of a page, judged by the text that can be read each way up.

A classifier that sees a line from afar takes upright pages of some faces for turned ones. So a few lines are read as
they are and turned, and the page is turned only when that is clearly surer.
"""

import math
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

from PIL import Image

from queueing.tasks.documents import engine

VOTERS = 4  # lines that are read both ways
USUAL_ASPECT = 10  # width by height of a line that says much and is read quickly
SURE = 0.9  # mean confidence of lines that surely lie the right way up; nothing upside down was read so surely
READABLE = 0.6  # of lines that lie on the wrong side, less
CLEARLY = 0.1  # so much surer the lines have to be when they are turned


class Turn(IntEnum):
    """The turn that a picture needs; the value is Pillow's name of it."""

    NONE = -1
    LEFT = Image.Transpose.ROTATE_90
    HALF = Image.Transpose.ROTATE_180
    RIGHT = Image.Transpose.ROTATE_270

    def of(self, pixels: Any) -> Any:
        """The picture, turned."""
        import numpy as np

        quarters = 0 if self is Turn.NONE else self - Turn.LEFT + 1
        return np.ascontiguousarray(np.rot90(pixels, quarters))


def turn_of(pixels: Any, boxes: Sequence[Any]) -> Turn:
    """The turn that brings the page upright, by the boxes of its lines."""
    tall = [box for box in boxes if engine.aspect(box) < 2 / 3]
    is_sideways = sum(map(engine.length, tall)) > sum(map(engine.length, boxes)) / 2
    voters = _voters(tall if is_sideways else [box for box in boxes if engine.aspect(box) >= 2 / 3])
    if not voters:
        return Turn.NONE
    # The engine lays a tall box on its left side. One that is a little taller than wide it leaves as it is.
    crops = engine.crops(pixels, voters)
    as_is = _sureness(crops)
    turned = _sureness([crop[::-1, ::-1] for crop in crops]) if as_is < SURE else 0
    if is_sideways:
        return _of_sideways(as_is, turned)
    return Turn.HALF if turned > as_is + CLEARLY else Turn.NONE


def _of_sideways(left: float, right: float) -> Turn:
    """Tall boxes that cannot be read lying on either side are lines from top to bottom, as in Japanese."""
    if max(left, right) < READABLE:
        return Turn.NONE
    return Turn.LEFT if left >= right else Turn.RIGHT


def _voters(boxes: Sequence[Any]) -> list[Any]:
    """The lines whose shape is nearest to the usual one."""
    return sorted(boxes, key=lambda box: abs(math.log(max(_shape(box), 1) / USUAL_ASPECT)))[:VOTERS]


def _shape(box: Any) -> float:
    """The longer side by the shorter one."""
    aspect = engine.aspect(box)
    return max(aspect, 1 / max(aspect, 0.001))


def _sureness(crops: Sequence[Any]) -> float:
    """The mean confidence (0..1) of what is read in the crops, weighted by its length; 0 for nothing."""
    read = [(len(text), confidence) for text, confidence in engine.recognise(crops)]
    letters = sum(length for length, _ in read)
    return sum(length * confidence for length, confidence in read) / letters if letters else 0
