"""The expected wait, as a range. Pure: numbers in, numbers out."""

import math
from collections.abc import Sequence
from functools import lru_cache

# Half the width of the shown range in standard deviations: about 80 % of waits fall inside.
WIDTH = 1.28
# With fewer finished runs than this nothing honest can be said.
LEAST_RUNS = 3
# Seconds a start takes at most when a worker is free.
AT_ONCE = 2.0


def estimate(
    *, ahead: int, running: int, workers: int, run_seconds: Sequence[float], leave_share: float
) -> tuple[float, float] | None:
    """Seconds until the start, low and high, or None when unknown.

    `ahead` are the present entries ahead; `running` the entries being worked on by `workers` workers; `run_seconds`
    recent run times; `leave_share` the share of entries that left before their start lately.

    With all c workers busy, a start comes after n + 1 ends of a run, where n of those ahead stay. Ends come at rate
    c/m for a mean run of m seconds, so the wait has mean (n + 1) m / c and, for runs of coefficient of variation v,
    a standard deviation of about v m sqrt(n + 1) / c (a sum of n + 1 independent gaps); the mean itself is known
    only up to v m / sqrt(runs). This is the wait of M/M/c in the heavy-traffic form, with those who leave taken
    out of the line (Whitt, "Predicting queueing delays", Management Science 45:6, 1999).
    """
    if workers <= 0 or len(run_seconds) < LEAST_RUNS:
        return None
    if ahead + running < workers:
        return 0.0, AT_ONCE
    mean, spread = _moments(tuple(run_seconds))
    ends = ahead * (1 - leave_share) + 1
    expected = ends * mean / workers
    deviation = math.hypot(
        spread * math.sqrt(ends) / workers,
        ends * spread / math.sqrt(len(run_seconds)) / workers,
        # The run that ends first has been going for an unknown while.
        mean / workers / math.sqrt(12),
    )
    return max(0.0, expected - WIDTH * deviation), max(AT_ONCE, expected + WIDTH * deviation)


@lru_cache(maxsize=16)  # one tick asks for every page of a line, about the same runs
def _moments(run_seconds: tuple[float, ...]) -> tuple[float, float]:
    """Mean and standard deviation; the latter at least a quarter of the former."""
    mean = sum(run_seconds) / len(run_seconds)
    spread = math.sqrt(sum((value - mean) ** 2 for value in run_seconds) / (len(run_seconds) - 1))
    return mean, max(spread, 0.25 * mean)


def sentence(wait: tuple[float, float] | None) -> str:
    """The range in words: "about 2 to 4 minutes"; "" when unknown."""
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
