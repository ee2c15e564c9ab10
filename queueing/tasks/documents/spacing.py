"""Spaces between words, put back from the gaps in the picture of a line.

The recogniser often drops a space, most of all between figures: two cells of a table become one number. A gap between
two letters is a space if it is clearly wider than the line's other gaps, so widely set words stay whole.

The unit of all lengths is the height of the line. A place is the number of letters before it; spaces are no letters.
"""

import bisect
import statistics
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

SLIGHTEST = 0.19  # a narrower gap is no lost space; between letters of most faces it is below 0.15
SURELY = 0.8  # a wider gap is a space, whatever the others are
CLEARLY = 1.2  # the narrowest space is so much wider than the widest gap between letters
ROOM = 0.03  # a figure one or a mark has so much more room beside it
ROOMY, SLIM = frozenset("1.,'"), frozenset("lI|.,:;'!i")
FIGURE_STEP = 1.3  # of the usual step from letter to letter: figures have one width, whatever their ink
MARK_GAP = 0.42  # between a figure and its mark a typewriter leaves nearly as much as this
WIDE_SPACE = 1.5  # of the usual gap: a space between words that are set wide
IDEOGRAMS = "\u2e80"  # from here on; their marks bring room along that is no space
CLOSING = frozenset("!?;:,)]}»”")  # a space before one is the typesetter's, not a word's


def with_spaces(text: str, middles: Sequence[float], ink: Any) -> str:
    """The text of a line with the spaces that its picture shows. `middles` tells where each letter is, from the left.

    The picture is a mask of the ink: see `strokes.py`.
    """
    letters = [letter for letter in text if not letter.isspace()]
    if len(letters) < 2 or len(letters) != len(middles) or max(letters) >= IDEOGRAMS:
        return text
    spaces = set(_places(text))
    gaps = _gaps(letters, middles, spaces, list(_blanks(ink)))
    if _is_set_wide(letters, gaps):
        found = _between_wide(spaces, gaps)
    else:
        found = spaces | set(_lost(letters, middles, spaces, gaps))
    return text if found == spaces else "".join(" " * (place in found) + letter for place, letter in enumerate(letters))


def _places(text: str) -> Iterator[int]:
    """The places of the spaces that were recognised."""
    place = 0
    for letter in text:
        if not letter.isspace():
            place += 1
        elif place:
            yield place


# The gaps in the picture


def _blanks(ink: Any) -> Iterator[tuple[float, float]]:
    """Left and right end of each stretch without ink that lies between ink."""
    import numpy as np

    height = len(ink)
    columns = np.flatnonzero(ink.any(axis=0))
    for left, right in pairwise(columns.tolist()):
        if right - left > 1:
            yield (left + 1) / height, right / height


def _gaps(
    letters: Sequence[str], middles: Sequence[float], spaces: set[int], blanks: Iterable[tuple[float, float]]
) -> list[float]:
    """The width of the gap at each place, without the room that its letters have anyway."""
    middles = _without_delay(letters, middles)
    gaps = [0.0] * (len(letters) + 1)
    for left, right in blanks:
        place = bisect.bisect(middles, (left + right) / 2)
        gaps[place] = max(gaps[place], right - left)
    _move_to_spaces(gaps, spaces)
    for place, pair in enumerate(pairwise(letters), 1):
        gaps[place] -= ROOM * (any(letter in ROOMY for letter in pair) + (pair == ("1", "1")))
    return gaps


def _without_delay(letters: Sequence[str], middles: Sequence[float]) -> list[float]:
    """The middles, where a doubled slim letter is not late: the recogniser has to make a pause between the two."""
    mended = list(middles[:1])
    for (before, letter), (last, middle) in zip(pairwise(letters), pairwise(middles), strict=True):
        is_late = letter == before and letter in SLIM and middle - last < 0.4
        mended.append(min(middle, last + 1 / 6) if is_late else middle)
    return mended


def _move_to_spaces(gaps: list[float], spaces: set[int]) -> None:
    """A space that was recognised beside a wider gap takes that one: the places of letters are not exact."""
    for space in spaces:
        for beside in (space - 1, space + 1):
            if 0 < beside < len(gaps) - 1 and beside not in spaces and gaps[beside] > WIDE_SPACE * gaps[space]:
                gaps[space], gaps[beside] = gaps[beside], gaps[space]


# The gaps that are spaces


def _is_set_wide(letters: Sequence[str], gaps: Sequence[float]) -> bool:
    is_word = len(letters) > 3 and not any(map(str.isdigit, letters))
    return is_word and statistics.median(gaps[1:-1]) > SLIGHTEST


def _between_wide(spaces: set[int], gaps: Sequence[float]) -> set[int]:
    """The spaces of a line whose letters stand apart: between words, or between all letters if most were recognised."""
    usual = statistics.median(gaps[1:-1])
    least = usual * (WIDE_SPACE if len(spaces) < len(gaps) / 2 else 1 / WIDE_SPACE)
    return {place for place in range(1, len(gaps) - 1) if gaps[place] >= least}


def _lost(letters: Sequence[str], middles: Sequence[float], spaces: set[int], gaps: Sequence[float]) -> Iterator[int]:
    closed = [place for place in range(1, len(letters)) if place not in spaces]
    if not closed:
        return
    known = [gaps[space] for space in spaces if gaps[space] > SLIGHTEST / 2]
    least = _least_space(sorted(gaps[place] for place in closed), known)
    step = statistics.median(middles[place] - middles[place - 1] for place in closed)
    for place in closed:
        pair = letters[place - 1] + letters[place]
        if gaps[place] < least or pair[1] in CLOSING:
            continue
        if pair.isdigit() and middles[place] - middles[place - 1] <= FIGURE_STEP * step:
            continue
        if len(known) < 2 and _is_figure_and_mark(pair) and gaps[place] < MARK_GAP:
            continue
        yield place


def _least_space(closed: Sequence[float], known: Sequence[float]) -> float:
    """The width from which on a gap is a space.

    It lies halfway between the usual gap and the usual space. If hardly a space was recognised, it lies in the widest
    break among the gaps.
    """
    if len(known) >= 2:
        return max(SLIGHTEST, (statistics.median(known) + statistics.median(closed)) / 2)
    wide = closed[len(closed) * 3 // 4 - (len(closed) % 4 == 0)]
    least = min(SURELY, max(SLIGHTEST, 2 * wide + 0.05))
    breaks = [
        (right - left, (left + right) / 2)
        for left, right in pairwise(closed[len(closed) // 2 :])
        if right >= max(SLIGHTEST, CLEARLY * left + ROOM)
    ]
    return min(least, max(SLIGHTEST, max(breaks)[1])) if breaks else least


def _is_figure_and_mark(pair: str) -> bool:
    return any(map(str.isdigit, pair)) and any(letter in ".,:'" for letter in pair)
