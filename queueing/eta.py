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
# By how much the rate of leaving, taken from some 50 who left, may be wrong: 1 / sqrt(50).
LEAVE_RATE_ERROR = 0.15


def estimate(
    *, ahead: int, busy: int, workers: int, run_seconds: Sequence[float], leave_rate: float
) -> tuple[float, float] | None:
    """Seconds until the start, low and high, or None when unknown.

    `ahead` are the present entries ahead; `busy` of the `workers` workers have a task; `run_seconds` say how long each
    of the recent runs kept its worker busy; `leave_rate` how many leave per second and waiting visitor.

    With all c workers busy, the line moves at each end of a run and whenever somebody ahead leaves. With j of n still
    ahead that is at rate r = c/m + j L, for a mean run of m seconds and leave rate L, so the wait has the mean sum of
    1/r over j = 0 ... n: the wait in Erlang-A, M/M/c+M (Whitt, "Predicting queueing delays", Management Science
    45:6, 1999). Runs differ by their own coefficient of variation v, and people leave by chance, so a step has the
    variance (v^2 c/m + j L) / r^3 (of a superposition of the two). With nobody ahead any more (j = 0) a run under way
    has to end, of which the mean rest is (1 + v^2) / 2 of a run (Kleinrock, "Queueing Systems" 1, 1975, 5.2). The
    mean run itself is known only up to v m / sqrt(runs), and L up to LEAVE_RATE_ERROR.
    """
    if workers <= 0 or len(run_seconds) < LEAST_RUNS:
        return None
    if ahead + busy < workers:
        return 0.0, AT_ONCE
    mean, variation = _moments(tuple(run_seconds))
    first = (1 + variation**2) / 2 * mean / workers
    rest, variance, through_leaving = _steps(ahead, workers / mean, leave_rate, variation)
    expected = first + rest
    deviation = math.hypot(
        # Runs of one length still end at any moment of it.
        first * max(variation, 1 / math.sqrt(3)),
        math.sqrt(variance),
        expected * variation / math.sqrt(len(run_seconds)),
        through_leaving * LEAVE_RATE_ERROR,
    )
    return max(0.0, expected - WIDTH * deviation), max(AT_ONCE, expected + WIDTH * deviation)


@lru_cache(maxsize=16)  # one tick asks for every page of a line, about the same runs
def _moments(run_seconds: tuple[float, ...]) -> tuple[float, float]:
    """Mean in seconds, and coefficient of variation, at least a quarter."""
    mean = max(sum(run_seconds) / len(run_seconds), 0.001)
    spread = math.sqrt(sum((value - mean) ** 2 for value in run_seconds) / (len(run_seconds) - 1))
    return mean, max(spread / mean, 0.25)


def _steps(ahead: int, ends: float, leave_rate: float, variation: float) -> tuple[float, float, float]:
    """Mean and variance of the steps j = 1 ... ahead, and how the mean falls with the (logarithm of the) leave rate.

    The sums as integrals, since a line may have 10,000.
    """
    near, growth = ends + leave_rate / 2, leave_rate * ahead
    far = near + growth
    mean = math.log1p(growth / near) / leave_rate if growth > 1e-9 * near else ahead / near
    squares = ahead / (near * far)
    cubes = squares * (near + far) / (2 * near * far)
    return mean, squares + (variation**2 - 1) * ends * cubes, mean - ends * squares


def leave_rate(waits: Sequence[float], left: int) -> float:
    """How many leave per second and waiting visitor, from the waits of those who were served lately and how many left.

    All wait about as long, w, and of impatience at a rate L the share exp(-L w) is still there then.
    """
    total = sum(waits)
    return math.log1p(left / len(waits)) * len(waits) / total if total > 0 else 0.0


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
