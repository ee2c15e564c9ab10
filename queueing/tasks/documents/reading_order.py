"""The reading order of boxes on a page. Algorithm: T. Breuel, "High Performance Document Layout Analysis", 2003.

Box A is read before box B in two cases:
  1. A and B are above each other, and A is the upper one.
  2. A is to the left of B, and no box at a height between them is above or below both. Such a box, for example a
     heading across two columns, ends the columns above it.
A topological sort gives the order of all boxes. The algorithm neither measures gaps nor detects columns.
"""

from collections.abc import Sequence

Box = tuple[float, float, float, float]  # left, top, right, bottom

# A set of boxes: bit i stands for box i. A page of 1,000 lines, the most that the engine finds, takes half a second.
Bits = int


def reading_order(boxes: Sequence[Box], *, tolerance: float) -> list[int]:
    """The indexes of the boxes in reading order.

    Boxes that share at most `tolerance` of width count as beside each other. Its unit is that of the boxes.
    """
    from_top = sorted(range(len(boxes)), key=lambda index: _middle(boxes[index]))
    ordered = [boxes[index] for index in from_top]
    return [from_top[place] for place in _topological_order(_predecessors(ordered, tolerance))]


def _predecessors(boxes: Sequence[Box], tolerance: float) -> list[Bits]:
    """For each box, the set of boxes read before it. The boxes must be sorted from top to bottom."""
    stacked = [_stacked_with(box, boxes, tolerance) for box in boxes]
    before = [mask & _first(place) for place, mask in enumerate(stacked)]  # rule 1
    for a, box_a in enumerate(boxes):
        for b, box_b in enumerate(boxes):
            if stacked[a] >> b & 1 or box_a[0] + box_a[2] >= box_b[0] + box_b[2]:
                continue
            between = _first(max(a, b)) & ~_first(min(a, b) + 1)
            if not stacked[a] & stacked[b] & between:
                before[b] |= 1 << a  # rule 2
    return before


def _stacked_with(box: Box, boxes: Sequence[Box], tolerance: float) -> Bits:
    """The set of boxes above or below this one: those that share more width with it than `tolerance`."""
    return sum(
        1 << place
        for place, other in enumerate(boxes)
        if other is not box and min(box[2], other[2]) - max(box[0], other[0]) > tolerance
    )


def _topological_order(before: Sequence[Bits]) -> list[int]:
    """Repeatedly take the topmost box whose predecessors are all taken. In a cycle, take the topmost box."""
    left = _first(len(before))
    places = []
    while left:
        open_places = [place for place in range(len(before)) if left >> place & 1]
        place = next((place for place in open_places if not before[place] & left), open_places[0])
        places.append(place)
        left &= ~(1 << place)
    return places


def _first(count: int) -> Bits:
    """The set of the first `count` boxes."""
    return (1 << count) - 1


def _middle(box: Box) -> float:
    return (box[1] + box[3]) / 2
