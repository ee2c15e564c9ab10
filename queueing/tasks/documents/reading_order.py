"""The order in which boxes on a page are read: Breuel, "High Performance Document Layout Analysis", 2003.

Of two boxes A is read before B if
  1. they lie above each other, and A above B; or
  2. A is wholly to the left of B, and no box between them in height lies above or below both. Such a box, a heading
     across two columns for example, ends the columns above it.
The order of all follows by a topological sort. No gap has to be measured for it, and no column to be found.
"""

from collections.abc import Sequence

Box = tuple[float, float, float, float]  # left, top, right, bottom

# Sets of boxes are kept as bits of an integer: a page of 1,000 lines, the most the engine finds, takes half a second.
Bits = int


def reading_order(boxes: Sequence[Box], *, tolerance: float) -> list[int]:
    """Indexes of boxes in the order of reading. Boxes that share less width than `tolerance` are beside each other."""
    from_top = sorted(range(len(boxes)), key=lambda index: _middle(boxes[index]))
    ordered = [boxes[index] for index in from_top]
    return [from_top[place] for place in _sort(_predecessors(ordered, tolerance))]


def _predecessors(boxes: Sequence[Box], tolerance: float) -> list[Bits]:
    """For each box the set of those that are read before it. The boxes come sorted from the top."""
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
    return sum(
        1 << place
        for place, other in enumerate(boxes)
        if other is not box and min(box[2], other[2]) - max(box[0], other[0]) > tolerance
    )


def _sort(before: Sequence[Bits]) -> list[int]:
    """Topological, from the top. Where the rules go round in a circle, the topmost box breaks it."""
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
