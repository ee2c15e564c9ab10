"""A sketch of durations: how many were about how long, in few bytes, and mergeable. Pure functions of numbers.

A histogram with buckets that grow by the factor 2^(1/4), as DDSketch has them (C. Masson, J. Rim, H. Lee, "DDSketch: a
fast and fully-mergeable quantile sketch", VLDB 2019). So a quantile is off by 19 % at most, by less as a rule. Sketches
of two minutes add up to that of both, and a duration can be taken back.
"""

import math
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

STEPS = 4  # buckets in which a duration doubles
SHORTEST = 0.001  # seconds; all that is shorter is in the first bucket
LAST = 160  # the last bucket; it begins at 30 years


class Sketch(Counter[int]):
    """The number of durations in each bucket."""

    def note(self, seconds: float, times: int = 1) -> None:
        """Add a duration; with a negative number of times, take it back."""
        self[bucket_of(seconds)] += times

    @property
    def number(self) -> int:
        return sum(self.values())

    def quantile(self, share: float) -> float | None:
        """The duration in seconds that this share of all is not longer than, interpolated; None without durations."""
        filled = sorted((bucket, count) for bucket, count in self.items() if count > 0)
        if not filled:
            return None
        rank = share * sum(count for _, count in filled)
        sums = accumulate(count for _, count in filled)
        for (bucket, count), until in zip(filled, sums, strict=True):
            if until >= rank:
                return start_of(bucket) * 2 ** (max(0.0, 1 - (until - rank) / count) / STEPS)
        return start_of(filled[-1][0] + 1)

    def spread(self, points: int) -> tuple[float, ...]:
        """So many durations that stand for all of them: their quantiles at equal distances."""
        found = (self.quantile((number + 0.5) / points) for number in range(points))
        return tuple(seconds for seconds in found if seconds is not None)

    def pairs(self) -> Iterator[tuple[int, int]]:
        """The buckets that are not empty, by growing durations, with their numbers."""
        return ((bucket, self[bucket]) for bucket in sorted(self) if self[bucket] > 0)


def bucket_of(seconds: float) -> int:
    """The bucket of a duration."""
    if seconds <= SHORTEST:
        return 0
    return min(LAST, 1 + math.floor(STEPS * math.log2(seconds / SHORTEST)))


def start_of(bucket: int) -> float:
    """The shortest duration of a bucket, in seconds. The first bucket begins as if it were as wide as the others."""
    return float(SHORTEST * 2 ** ((bucket - 1) / STEPS))
