"""How good the shown ranges were."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from tests.benchmarks.replay.stage import Look, Range

COVERAGE = 0.85  # the nominal coverage of a range: between the 80 and the 90 % that are promised

type Side = Literal["ours", "rival"]


def coverage(looks: Sequence[Look], side: Side = "ours") -> float:
    """Percent of the shown ranges that held the true wait."""
    known: list[tuple[Range, float]] = [(told, look.true) for look in looks if (told := getattr(look, side))]
    return 100 * sum(low <= true <= high for (low, high), true in known) / len(known)


def interval_score(told: Range, true: float) -> float:
    """The interval score in seconds; smaller is better.

    The width, and 2 / alpha times the distance by which the range misses, where 1 - alpha is the nominal coverage.
    Sources: R. Winkler, "A Decision-Theoretic Approach to Interval Estimation", JASA 67 (1972), 187-191; T. Gneiting
    and A. Raftery, "Strictly Proper Scoring Rules, Prediction, and Estimation", JASA 102 (2007), equation 43.
    """
    low, high = told
    return high - low + 2 / (1 - COVERAGE) * (max(0.0, low - true) + max(0.0, true - high))


def mean_score(looks: Sequence[Look], side: Side = "ours") -> float:
    """The mean interval score over the looks at which both sides gave a range."""
    both = [look for look in looks if look.ours is not None and look.rival is not None]
    return sum(interval_score(getattr(look, side), look.true) for look in both) / len(both)


def geometric_mean(ratios: Iterable[float]) -> float:
    """The mean of ratios: the order of numerator and denominator does not matter to it."""
    logs = [math.log(ratio) for ratio in ratios]
    return math.exp(sum(logs) / len(logs))
