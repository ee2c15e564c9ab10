"""The expected wait: looked up in the forecast of a line, and told as a range in words. Pure functions of numbers."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

# Seconds until the start, at most, when a worker is free.
FREE_WORKER_WAIT = 2.0
# Of a line of which nothing is known, half of the held visitors come back. That counts as much as so many of them.
RETURNS_GUESSED = 4

# (entries ahead, seconds at least, seconds at most), by growing numbers ahead; see `forecast.waits`
type Waits = Sequence[tuple[float, float, float]]


class Wait(NamedTuple):
    """An expected wait: the range of seconds until the start."""

    low: float
    high: float


def look_up(waits: Waits, ahead: float) -> Wait | None:
    """The wait with so many entries ahead, interpolated; None if nothing is forecast.

    A line may have grown since the forecast: behind its last point, the wait grows as it does before it.
    """
    if not waits:
        return None
    above = min(max(bisect_right(waits, ahead, key=_ahead), 1), len(waits) - 1)
    if above == 0:
        _, low, high = waits[0]
        return Wait(low, max(FREE_WORKER_WAIT, high))
    first, low, high = waits[above - 1]
    last, last_low, last_high = waits[above]
    share = (ahead - first) / (last - first)
    return Wait(low + share * (last_low - low), max(FREE_WORKER_WAIT, high + share * (last_high - high)))


def at_pace(wait: Wait | None, ahead: int, most: int | None) -> Wait | None:
    """The wait in a line that starts at most so many entries a minute; None: as many as can be.

    As many as that may have been started just now, or none in the last minute.
    """
    if wait is None or not most:
        return wait
    full_minutes = ahead // most
    return Wait(max(wait.low, 60.0 * full_minutes), max(wait.high, 60.0 * (full_minutes + 1)))


def _ahead(point: tuple[float, float, float]) -> float:
    return point[0]


def return_share(came_back: int, absences: int) -> float:
    """The share of held visitors who come back before their time is over.

    The mean of the posterior of a Beta prior (A. Gelman et al., "Bayesian Data Analysis", 3rd edition, section 2.4).
    """
    return (came_back + RETURNS_GUESSED / 2) / (absences + RETURNS_GUESSED)


def leave_rate(waits: Sequence[float], left: int) -> float:
    """The leave rate: leavers per second and waiting visitor.

    `waits` are the seconds that recently served visitors waited. `left` is the number of visitors who left meanwhile.

    Model: visitors leave at random with the rate L (exponential patience), so the share exp(-L w) is still there after
    a wait of w seconds. Here w is the mean of `waits`.
    """
    total = sum(waits)
    return math.log1p(left / len(waits)) * len(waits) / total if total > 0 else 0.0


def sentence(wait: Wait | None) -> str:
    """The range in words: "about 2 to 4 minutes". Empty if the wait is unknown."""
    if wait is None:
        return ""
    low, high = wait
    if high < 10:
        return "a few seconds"
    if high < 60:
        return "less than a minute"
    if high < 3600:
        return _range(low / 60, high / 60, "minute")
    return _range(low / 3600, high / 3600, "hour")


def _range(low: float, high: float, unit: str) -> str:
    first, last = math.floor(low), math.ceil(high)
    if first < 1:
        return f"up to {last} {unit}{'s' if last > 1 else ''}"
    return f"about {first} to {last} {unit}s"
