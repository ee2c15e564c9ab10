"""A page picture -> its lines of text.

1. Take off the stamps.
2. Find the lines, and look again where there is ink that none of them explains.
3. Turn the page upright.
4. Recognise the lines, and those of the stamps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import batched
from typing import Any

from PIL import Image

from queueing.tasks.documents import engine, ink, stamps
from queueing.tasks.documents.orientation import Turn, turn_of
from queueing.tasks.documents.page import Corners, Line

BATCH = 6  # lines between two reports
SURE_ENOUGH = 0.5  # least confidence (0..1) of a line; anything less is taken for a stain
STAMP_SURE = 0.9  # likewise, of a line of a stamp, which the text below has torn
SMALLEST_SIDE = 16  # pixels; a smaller picture is not searched for text
FINDING = 0.4  # share of a page's time that goes into finding its lines


@dataclass(frozen=True, slots=True)
class Reading:
    """The lines that were read in a page picture, and signs of text that was not."""

    picture: Image.Image  # turned upright
    lines: list[Line] = field(default_factory=list)  # in no particular order
    unread: float = 0  # share (0..1) of the lines that were found, by their length, that could not be read
    has_ink: bool = False  # there are marks like letters on a page without lines


def read(picture: Image.Image, report: Callable[[float], None]) -> Reading:
    """Read a page. `report` gets the fraction done (0..1) every few seconds or sooner; its exceptions pass through."""
    if min(picture.size) < SMALLEST_SIDE:
        return Reading(picture)
    whole = engine.pixels_of(picture)
    parts = stamps.parted(whole)
    text = parts.text if parts else whole
    boxes = _find(text)
    turn = turn_of(text, boxes)
    if turn != Turn.NONE:
        report(FINDING / 2)
        picture, whole, text = picture.transpose(Image.Transpose(turn)), turn.of(whole), turn.of(text)
        boxes = _find(text)
    report(FINDING)
    found = _recognise(text, boxes, lambda fraction: report(FINDING + (1 - FINDING) * fraction))
    lines = [line for line in found if line.text and line.confidence >= SURE_ENOUGH]
    if parts:
        lines += _stamped(turn.of(parts.stamps))
    has_ink = not lines and bool(ink.unexplained(whole, []))
    return Reading(picture, lines, _unread(found, lines), has_ink)


def _stamped(pixels: Any) -> list[Line]:
    """The lines of the stamps, which stand alone in this picture."""
    boxes = engine.find_lines(pixels)
    found = _recognise(pixels, boxes, lambda _: None)
    return [replace(line, is_stamp=True) for line in found if line.text and line.confidence >= STAMP_SURE]


def _find(pixels: Any) -> list[Any]:
    """The boxes of the lines: those that the detector sees on the page, and those that it sees from nearer."""
    import numpy as np

    boxes = engine.find_lines(pixels)
    for left, top, right, bottom in ink.unexplained(pixels, boxes):
        nearer = engine.find_lines(ink.alone(pixels, boxes, (left, top, right, bottom)))
        boxes += [box + np.array((left, top), box.dtype) for box in nearer]
    return boxes


def _recognise(pixels: Any, boxes: Sequence[Any], report: Callable[[float], None]) -> list[Line]:
    lines: list[Line] = []
    for batch in batched(zip(boxes, engine.crops(pixels, boxes), strict=True), BATCH):
        read = engine.recognise([crop for _, crop in batch])
        lines += [
            Line(text, confidence, _corners(box)) for (box, _), (text, confidence) in zip(batch, read, strict=True)
        ]
        report(len(lines) / len(boxes))
    return lines


def _unread(found: Sequence[Line], lines: Sequence[Line]) -> float:
    total = sum(engine.length(line.corners) for line in found)
    return 1 - sum(engine.length(line.corners) for line in lines) / total if total else 0


def _corners(box: Any) -> Corners:
    top_left, top_right, bottom_right, bottom_left = ((float(x), float(y)) for x, y in box)
    return top_left, top_right, bottom_right, bottom_left
