"""The facts that the keeper publishes in a replay, and the wait that a page shows from them."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from queueing import eta, forecast, run_times
from queueing.facts import Facts
from queueing.keeper.survey import refresh_after
from tests.benchmarks import former_eta
from tests.benchmarks.replay.stage import Line, Look, Person, Run, Worker, by_place

RIVALS_RUNS = 50  # runs from which the rival estimates


@dataclass(frozen=True)
class Published:
    """The knowledge of all lines at one moment. Forecasts are made when somebody looks: most are never read."""

    states: Mapping[str, forecast.LineState]
    crew: Sequence[forecast.Worker]
    return_shares: Mapping[str, float]
    _facts: dict[str, Facts] = field(default_factory=dict)

    def facts(self, queue: str) -> Facts:
        """The facts of a line, as `survey.Survey.facts` makes them."""
        if queue not in self._facts:
            serving = [worker for worker in self.crew if queue in worker.lines]
            self._facts[queue] = Facts(
                workers=len(serving),
                busy=sum(worker.run is not None for worker in serving),
                return_share=self.return_shares[queue],
                waits=tuple(forecast.waits(queue, self.states, self.crew)),
            )
        return self._facts[queue]


class Board:
    """The keeper's side: the facts that pages read, renewed as `survey.Surveyor.publish` renews them."""

    def __init__(self, lines: Mapping[str, Line], workers: Sequence[Worker], runs: Sequence[Run]) -> None:
        self.lines, self.workers, self.runs = lines, workers, runs
        self.published: Published | None = None
        self._rival: dict[str, dict[str, Any]] = {}
        self._circumstances: Any = None
        self._at = 0.0

    def publish(self, now: float) -> None:
        """New facts, if something has happened or it is time. The rival's are always new."""
        self._rival = {name: self._rivals_facts(line) for name, line in self.lines.items()}
        circumstances = [(worker.counts, worker.run) for worker in self.workers], list(self.runs)
        if circumstances == self._circumstances and now - self._at < refresh_after(0):
            return
        self._circumstances, self._at = circumstances, now
        self.published = Published(
            {name: self._state(line, now) for name, line in self.lines.items()},
            [self._member(worker, now) for worker in self.workers if worker.counts],
            {name: eta.return_share(sum(line.came_back), len(line.came_back)) for name, line in self.lines.items()},
        )

    def look(self, person: Person, now: float) -> Look:
        """The wait on this visitor's page."""
        line = person.line
        ahead = bisect_left(line.present, person.place, key=by_place)
        held_ahead = bisect_left(line.held, person.place, key=by_place)
        assert self.published is not None
        ours = self.published.facts(line.name).wait(ahead, held_ahead)
        return Look(now, ahead, ours, former_eta.estimate(ahead=ahead, **self._rival[line.name]))

    def _member(self, worker: Worker, now: float) -> forecast.Worker:
        lines = worker.lines[worker.turn :] + worker.lines[: worker.turn]
        return forecast.Worker(lines, _ongoing(worker.run, now) if worker.run else None)

    def _state(self, line: Line, now: float) -> forecast.LineState:
        running = [run for run in self.runs if run.person.line is line]
        waits, left = _ends(line)
        return forecast.LineState(
            waiting=len(line.present),
            runs=run_times.known_runs(line.runs, [_ongoing(run, now) for run in running], line.kind.typical),
            arrivals=len(line.ends) / max(now - line.ends[0][0], 1.0) if len(line.ends) > 1 else 0.0,
            leave_rate=eta.leave_rate(waits, left=left),
            left=left,
            returning=sum(not run.worker.counts or run.worker.run is not run for run in running),
        )

    def _rivals_facts(self, line: Line) -> dict[str, Any]:
        serving = [worker for worker in self.workers if worker.counts and line.name in worker.lines]
        waits, left = _ends(line)
        return {
            "busy": sum(worker.run is not None for worker in serving),
            "workers": len(serving),
            "run_seconds": list(line.runs)[-RIVALS_RUNS:],
            "leave_rate": former_eta.leave_rate(waits, left=left),
        }


def _ongoing(run: Run, now: float) -> run_times.OngoingRun:
    return run_times.OngoingRun(run.person.line.name, now - run.started, run.progress(now))


def _ends(line: Line) -> tuple[list[float], int]:
    """The waits of those who were served lately, and the number of those who left."""
    waits = [wait for _, wait in line.ends if wait is not None]
    return waits, len(line.ends) - len(waits)
