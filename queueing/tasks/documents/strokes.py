"""The ink of a line that was cut out of the page, and how much of it the letters explain that were read there."""

from collections.abc import Sequence
from typing import Any

INK = 0.4  # of the darkest ink of the line; lighter is blur
FAINTEST = 30  # levels of grey between paper and ink
RULE = 0.75  # share of ink in a row of pixels that belongs to a rule, not to letters
MIDDLE = (0.3, 0.85)  # of the height: letters and marks reach into it; what juts in from other lines does not
TALL = 0.3  # of the height: the ink of letters; dots and dashes are less high
REACH = 0.6  # heights from the middle of a letter to the end of its ink


def ink_of(crop: Any) -> Any:
    """A mask of the ink, without rules and without what juts in from other lines.

    The picture is an array of height x width x colours.
    """
    import numpy as np

    grey = crop.mean(axis=2)
    difference = np.abs(grey - np.median(grey))
    darkest = np.percentile(difference, 98)
    if darkest < FAINTEST:
        return np.zeros(grey.shape, bool)
    ink = difference > INK * darkest
    ink[ink.mean(axis=1) > RULE] = False
    return _without_neighbours(ink)


def _without_neighbours(ink: Any) -> Any:
    """The ink without what belongs to the lines above and below: it touches the edge and does not reach the middle."""
    import cv2
    import numpy as np

    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    tops = stats[:, cv2.CC_STAT_TOP]
    bottoms = tops + stats[:, cv2.CC_STAT_HEIGHT]
    height = len(ink)
    juts_in = ((tops <= 1) & (bottoms <= MIDDLE[0] * height)) | ((bottoms >= height - 1) & (tops >= MIDDLE[1] * height))
    juts_in[0] = True  # the paper
    return ~juts_in[labels]


def explained(ink: Any, middles: Sequence[float]) -> float:
    """The share (0..1) of the letters' ink that lies near a letter that was read; 1 without such ink.

    `middles` are in heights of the line. The recogniser leaves out letters that it does not know, and is sure of the
    rest.
    """
    import numpy as np

    height = len(ink)
    columns = np.flatnonzero(ink.any(axis=0))
    tall = height - ink[::-1].argmax(axis=0) - ink.argmax(axis=0) >= TALL * height
    columns = columns[tall[columns]]
    if not len(columns) or not middles:
        return float(not len(columns))
    after = np.searchsorted(middles, columns / height)
    ends = np.array([-np.inf, *middles, np.inf])
    distances = np.minimum(columns / height - ends[after], ends[after + 1] - columns / height)
    return float((distances <= REACH).mean())
