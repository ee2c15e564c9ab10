"""The outcome of a crowd on one side, and of the very same crowd in the model."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from tests.benchmarks.erlang import Person, play
from tests.benchmarks.rest import Run

WORKERS = 2


@dataclass(frozen=True)
class Outcome:
    """Clocks are `time.time()`; visitors are known by their number in the crowd."""

    crowd: Sequence[Person]
    arrived: Sequence[float]
    left: Sequence[float | None]  # None: stayed until it was their turn
    started: dict[int, float]  # when the side says that the work began
    runs: Sequence[Run]
    turns_for_nothing: int = 0  # forks after which the visitor was found to be gone

    @cached_property
    def overhead(self) -> float:
        """Seconds that a worker is busy with a run beyond the sleep: the books, the next claim, the next fork.

        From the gaps between two runs of a worker when the second visitor was there before the first run ended.
        """
        gaps = []
        for worker in {run.worker for run in self.runs}:
            runs = sorted((run for run in self.runs if run.worker == worker), key=lambda run: run.began)
            gaps += [b.began - a.ended for a, b in pairwise(runs) if self.arrived[b.number] < a.ended]
        return statistics.mean(gaps)

    def busy(self, runs: Sequence[Run]) -> float:
        return sum(run.ended - run.began + self.overhead for run in runs)

    @property
    def wasted(self) -> float:
        """Percent of the worker-seconds that went to visitors who had left before the start."""
        nothing = self.turns_for_nothing * self.overhead
        gone = [run for run in self.runs if self._is_gone(run.number, self.started[run.number])]
        return 100 * (self.busy(gone) + nothing) / (self.busy(self.runs) + nothing)

    @property
    def wasted_by_first_line(self) -> float:
        """The same with those who left between the start and the first line of the task."""
        nothing = self.turns_for_nothing * self.overhead
        gone = [run for run in self.runs if self._is_gone(run.number, run.began)]
        return 100 * (self.busy(gone) + nothing) / (self.busy(self.runs) + nothing)

    @cached_property
    def waits(self) -> list[float]:
        """Seconds until the first line of the task, of those who were there at its start."""
        served = [run for run in self.runs if not self._is_gone(run.number, self.started[run.number])]
        return [run.began - self.arrived[run.number] for run in served]

    @property
    def served(self) -> float:
        """Percent of the crowd."""
        return 100 * len(self.waits) / len(self.crowd)

    @cached_property
    def model_waits(self) -> list[float]:
        """Of those whom the model serves of this very crowd, when its servers are busy for as long as ours were."""
        busy = [Person(one.arrival, one.service + self.overhead, one.patience) for one in self.crowd]
        return [wait for wait in play(busy, WORKERS) if wait is not None]

    @property
    def model_served(self) -> float:
        return 100 * len(self.model_waits) / len(self.crowd)

    @property
    def off_the_model(self) -> float:
        """By how many percent the number of the served differs from the model's."""
        return 100 * abs(self.served / self.model_served - 1)

    def _is_gone(self, number: int, at: float) -> bool:
        left = self.left[number]
        return left is not None and left < at
