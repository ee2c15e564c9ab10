"""The rival of the forecast: the site's earlier estimator of the expected wait, unchanged.

Mean and deviation of recent runs. It knows nothing of what runs now, and nothing of the workers' other lines.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

# Half the width of the shown range, in standard deviations. About 80 % of waits fall inside the range.
WIDTH = 1.28
# Finished runs needed for an estimate; with fewer, the wait is unknown.
LEAST_RUNS = 3
# Seconds until the start, at most, when a worker is free.
FREE_WORKER_WAIT = 2.0
# Relative error of the leave rate. It is measured from about 50 leavers: 1 / sqrt(50).
LEAVE_RATE_ERROR = 0.15


def estimate(
    *, ahead: int, busy: int, workers: int, run_seconds: Sequence[float], leave_rate: float
) -> tuple[float, float] | None:
    """The range of seconds until the start, low and high; None if it is unknown.

    Arguments:
      ahead        present entries ahead in the line
      busy         workers that have a task
      workers      all workers of the line
      run_seconds  for each recent run, the seconds that it kept its worker busy
      leave_rate   leavers per second and waiting visitor, see `leave_rate`

    Model: Erlang-A, M/M/c+M (W. Whitt, "Predicting Queueing Delays", Management Science 45:6, 1999), with c workers,
    runs of m seconds on average and leave rate L.

    Mean. With all workers busy, the line moves when a run ends and when somebody ahead leaves. While j entries are
    ahead, it moves at rate r(j) = c/m + j L. So the mean wait is the sum of 1/r(j) over j = 0 ... ahead. The step j = 0
    is different, because it waits for runs that have begun already. The mean rest of such a run is (1 + v^2) / 2 runs,
    where v is the coefficient of variation of the runs (L. Kleinrock, "Queueing Systems" 1, 1975, section 5.2).

    Variance. The ends of runs vary by v, and leaving is random. So the step j has the variance
    (v^2 c/m + j L) / r(j)^3, that of a superposition of the two. In addition, m has the standard error
    v m / sqrt(runs), and L has the relative error LEAVE_RATE_ERROR.
    """
    if workers <= 0 or len(run_seconds) < LEAST_RUNS:
        return None
    if ahead + busy < workers:
        return 0.0, FREE_WORKER_WAIT
    mean, variation = _moments(tuple(run_seconds))
    first = (1 + variation**2) / 2 * mean / workers
    rest, variance, through_leaving = _steps(ahead, workers / mean, leave_rate, variation)
    expected = first + rest
    deviation = math.hypot(
        # At least the deviation of a uniform rest: even runs of equal length are interrupted at a random moment.
        first * max(variation, 1 / math.sqrt(3)),
        math.sqrt(variance),
        expected * variation / math.sqrt(len(run_seconds)),
        through_leaving * LEAVE_RATE_ERROR,
    )
    return max(0.0, expected - WIDTH * deviation), max(FREE_WORKER_WAIT, expected + WIDTH * deviation)


@lru_cache(maxsize=16)  # in one tick, all pages of a line ask about the same runs
def _moments(run_seconds: tuple[float, ...]) -> tuple[float, float]:
    """The mean in seconds, at least 0.001, and the coefficient of variation, at least 0.25."""
    mean = max(sum(run_seconds) / len(run_seconds), 0.001)
    spread = math.sqrt(sum((value - mean) ** 2 for value in run_seconds) / (len(run_seconds) - 1))
    return mean, max(spread / mean, 0.25)


def _steps(ahead: int, ends: float, leave_rate: float, variation: float) -> tuple[float, float, float]:
    """The steps j = 1 ... ahead: mean, variance, and the fall of the mean per unit of the leave rate's logarithm.

    `ends` is the rate at which runs end, c/m. Integrals replace the sums, because a line may have 10,000 entries.
    """
    near, growth = ends + leave_rate / 2, leave_rate * ahead
    far = near + growth
    mean = math.log1p(growth / near) / leave_rate if growth > 1e-9 * near else ahead / near
    squares = ahead / (near * far)
    cubes = squares * (near + far) / (2 * near * far)
    return mean, squares + (variation**2 - 1) * ends * cubes, mean - ends * squares


def leave_rate(waits: Sequence[float], left: int) -> float:
    """The leave rate: leavers per second and waiting visitor.

    `waits` are the seconds that recently served visitors waited. `left` is the number of visitors who left meanwhile.

    Model: visitors leave at random with the rate L (exponential patience), so the share exp(-L w) is still there after
    a wait of w seconds. Here w is the mean of `waits`.
    """
    total = sum(waits)
    return math.log1p(left / len(waits)) * len(waits) / total if total > 0 else 0.0
