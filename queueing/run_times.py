"""The times of runs: of those that have ended, and the rest of those that go on. Pure functions of numbers."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

# Deviation of the logarithm of a run's time when only a typical time is known: a factor of about 2.
TYPICAL_SPREAD = 0.8
# With fewer finished runs, quantiles of the prior stand in for the missing ones.
PRIOR_RUNS = 4
# Progress p at the age a suggests a run of a / p seconds. Its logarithm has this deviation, times -log p.
PROGRESS_SPREAD = 0.4
LEAST_SPREAD = 0.05
# Smaller progress says nothing about the time of a run.
LEAST_PROGRESS = 0.02
# Finished runs that were longer than the age of a running one, from which its rest is drawn.
LEAST_SURVIVORS = 5
# Share of the line's runs that have ended by an age, from which on a run of this age is not like them.
OUTLIVED = 0.99
SHORTEST_RUN = 0.001  # seconds


@dataclass(frozen=True, slots=True)
class OngoingRun:
    """A run that keeps a worker busy at this moment."""

    line: str
    age: float = 0.0  # seconds since its start
    progress: float | None = None  # 0..1


def known_runs(
    finished: Sequence[float], running: Sequence[OngoingRun], typical: float | None, usual: Sequence[float] = ()
) -> tuple[float, ...]:
    """The times that runs keep a worker busy, in seconds; () if nothing is known.

    `finished` are the times of recent runs. While there are fewer than PRIOR_RUNS, others stand in for the rest: two
    for each from the `usual` times of this hour on other days, given in order. If these are not known, quantiles of a
    log-normal prior. Its median is the typical time that the task declares, or else the geometric mean of what the
    finished and running ones suggest.
    """
    missing = PRIOR_RUNS - len(finished)
    runs = tuple(max(seconds, SHORTEST_RUN) for seconds in finished)
    if missing <= 0:
        return runs
    if usual:
        points = 2 * missing
        return runs + tuple(usual[(2 * number + 1) * len(usual) // (2 * points)] for number in range(points))
    return runs + _prior(runs, running, typical, missing)


def _prior(
    runs: Sequence[float], running: Sequence[OngoingRun], typical: float | None, missing: int
) -> tuple[float, ...]:
    projected = [
        run.age / run.progress
        for run in running
        if run.progress and run.progress >= LEAST_PROGRESS and run.age >= SHORTEST_RUN
    ]
    suggested = [math.log(seconds) for seconds in (*runs, *projected)]
    if not typical and not suggested:
        return ()
    center = math.log(typical) if typical else fmean(suggested)
    prior = NormalDist(center, TYPICAL_SPREAD)
    return tuple(math.exp(prior.inv_cdf((number + 0.5) / missing)) for number in range(missing))


class Rest:
    """The seconds until the end of a run that has been going on for a while: T - a, given T > a and its progress.

    With progress: the logarithm of T is normal for the line's runs, and so is that of the time a / p that the progress
    suggests. Their product is normal, too (A. Gelman et al., "Bayesian Data Analysis", 3rd edition, section 2.5).
    Without: the finished runs that were longer; when these are few, the same normal for the line's runs.
    A run that has outlived the line's runs is not like them: then its progress alone counts, or its age.
    """

    def __init__(self, run: OngoingRun, runs: Sequence[float]) -> None:
        self.age = max(run.age, SHORTEST_RUN)
        self.survivors = [seconds for seconds in runs if seconds > self.age]
        hint = _hint(self.age, run.progress)
        self.normal = likely = _fit(runs)
        if hint:
            self.survivors.clear()
            share = likely.variance / (likely.variance + hint.variance)
            self.normal = NormalDist(
                likely.mean + share * (hint.mean - likely.mean), likely.stdev * math.sqrt(1 - share)
            )
        if self._passed() > OUTLIVED:
            self.normal = hint or NormalDist(math.log(self.age), TYPICAL_SPREAD)
        self.passed = self._passed()

    def _passed(self) -> float:
        return self.normal.cdf(math.log(self.age))

    def draw(self, chance: random.Random) -> float:
        """One possible rest in seconds."""
        if len(self.survivors) >= LEAST_SURVIVORS:
            return chance.choice(self.survivors) - self.age
        share = self.passed + (1 - self.passed) * chance.random()
        return max(0.0, math.exp(self.normal.inv_cdf(min(max(share, 1e-9), 1 - 1e-9))) - self.age)


def _fit(runs: Sequence[float]) -> NormalDist:
    """The normal distribution of the logarithm of a run's time."""
    logs = [math.log(seconds) for seconds in runs]
    return NormalDist(fmean(logs), max(stdev(logs) if len(logs) > 1 else 0.0, LEAST_SPREAD))


def _hint(age: float, progress: float | None) -> NormalDist | None:
    """The logarithm of a run's time, as the progress suggests it; None if it suggests nothing."""
    if progress is None or progress < LEAST_PROGRESS:
        return None
    share = min(progress, 1.0)
    return NormalDist(math.log(age / share), max(PROGRESS_SPREAD * -math.log(share), LEAST_SPREAD))
