"""Forecasts the waits of a line: plays the line many times with the times of recent runs, and takes quantiles.

Pure functions of numbers: no database, no Redis. The keeper calls `waits` for each line; pages only look up the result.

Method: Monte Carlo simulation of the queue from its present state (S. Asmussen and P. Glynn, "Stochastic Simulation",
2007, chapters III and X). Each game draws its runs from the recent ones (the bootstrap of B. Efron, Annals of
Statistics 7:1, 1979), times a factor for the error of their mean: so few runs do not know it well.
"""

import math
import random
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace
from statistics import fmean, stdev

from queueing.run_times import Rest, Task

GAMES = 200
# The quantiles between which a range lies. They hold 88 % of the games for a range that is meant to hold 85 % of the
# true waits: the facts are some seconds old when they are read, and few runs do not show the longest ones.
LOW, HIGH = 0.06, 0.94
# Entries that are played one by one; with several lines, fewer. Those behind them are played in strides, because a line
# may have 10,000.
ONE_BY_ONE = 32
TURNS = 64  # of all lines, while these are played
STRIDE = 1.33


@dataclass(frozen=True, slots=True)
class Worker:
    """A live worker."""

    lines: tuple[str, ...]  # in the order of its next turn
    task: Task | None = None  # None: idle


@dataclass(frozen=True, slots=True)
class LineState:
    """A line as the forecast sees it."""

    waiting: int = 0  # present entries
    runs: tuple[float, ...] = ()  # see `run_times.known_runs`
    arrivals: float = 0.0  # new entries per second
    leave_rate: float = 0.0  # leavers per second and waiting visitor
    left: int = 0  # leavers from which that rate is known
    returning: int = 0  # running entries of dead workers: they come back to their places


def waits(queue: str, lines: Mapping[str, LineState], workers: Sequence[Worker]) -> list[tuple[int, float, float]]:
    """The expected waits of a line: (entries ahead, seconds at least, seconds at most), by growing numbers ahead.

    [] if no worker serves the line, or nothing is known of its runs. The draws are the same in each forecast: the range
    moves because the line does, not by chance.
    """
    serving = {name for worker in workers if queue in worker.lines for name in worker.lines}
    crew = [worker for worker in workers if serving.intersection(worker.lines)]
    if not serving or not lines[queue].runs:
        return []
    table = _Table(queue, lines, crew)
    chance = random.Random(1)  # noqa: S311  # numbers, no secrets
    games = [_Game(table, chance) for _ in range(GAMES)]
    # Seconds between two turns of the line: its workers' time for each of its turns, with the other lines' turns.
    pace = sum(game.work for game in games) / sum(game.turns for game in games) / table.servers
    for game in games:
        game.play_in_strides(pace)
    return [
        (ahead, _quantile(times, LOW), _quantile(times, HIGH))
        for number, ahead in enumerate(table.points)
        if (times := sorted(game.times[number] for game in games))
    ]


def points_up_to(waiting: int) -> list[int]:
    """The numbers of entries ahead for which the wait is forecast: each of the first, then ever fewer.

    They go beyond the line, because it may grow until the next forecast.
    """
    points, last = [0], 2 * waiting + 16
    while points[-1] < last:
        points.append(max(points[-1] + 1, math.ceil(points[-1] * STRIDE)))
    return points


def _quantile(ordered: Sequence[float], share: float) -> float:
    """The quantile, interpolated: definition 7 of R. Hyndman and Y. Fan, The American Statistician 50:4, 1996."""
    place = share * (len(ordered) - 1)
    below = int(place)
    return ordered[below] + (place - below) * (ordered[below + 1] - ordered[below])


def _variation(runs: Sequence[float]) -> float:
    """The coefficient of variation. Of a single run it is not known: that of exponential runs."""
    return stdev(runs) / fmean(runs) if len(runs) > 1 else 1.0


class _Table:
    """What all games of a forecast have in common."""

    def __init__(self, queue: str, lines: Mapping[str, LineState], workers: Sequence[Worker]) -> None:
        self.queue, self.lines, self.mine = queue, lines, lines[queue]
        self.asked = [worker.lines for worker in workers]
        self.servers = sum(queue in asked for asked in self.asked)
        self.others = sorted({name for worker in workers for name in worker.lines} - {queue})
        self.runs = {name: lines[name].runs or self.mine.runs for name in (queue, *self.others)}
        self.rests = [self._rest_of(worker.task) for worker in workers]
        self.variations = {name: _variation(runs) for name, runs in self.runs.items()}
        self.variation = self.variations[queue]
        self.points = points_up_to(self.mine.waiting)
        most = min(ONE_BY_ONE, TURNS // len(self.runs), self.mine.waiting + 8)
        self.first_points = self.points[: max(1, bisect_right(self.points, most))]

    def _rest_of(self, task: Task | None) -> Rest | None:
        return Rest(task, self.runs.get(task.line, self.mine.runs)) if task else None


class _Game:
    """Plays the line once. `times` are the seconds until the turn of a visitor, for each of the points."""

    def __init__(self, table: _Table, chance: random.Random) -> None:
        self.table, self.chance = table, chance
        # The standard error of the mean of n runs, relative to it, is variation / sqrt(n).
        self.factors = {
            name: math.exp(chance.gauss(0, table.variations[name] / math.sqrt(len(runs))))
            for name, runs in table.runs.items()
        }
        left = table.mine.left
        self.leaving = table.mine.leave_rate * (chance.gammavariate(left, 1 / left) if left else 1.0)
        self.turns, self.work = 0, 0.0  # of this line, and seconds of its workers
        starts = self._play_one_by_one(table.mine.returning + table.first_points[-1])
        self.times = [starts[point + table.mine.returning] for point in table.first_points]

    def _play_one_by_one(self, last: int) -> list[float]:
        """The moments of the first turns: those of visitors with 0 ... `last` entries ahead.

        A worker that is free asks its lines in turn, as RQ's RoundRobinWorker does.
        """
        table, chance = self.table, self.chance
        others = {name: _Other(table.lines[name], chance) for name in table.others}
        turns = [0] * len(table.asked)
        free = [(rest.draw(chance) if rest else 0.0, number) for number, rest in enumerate(table.rests)]
        heapify(free)
        starts: list[float] = []
        while True:
            now, number = free[0]
            asked, first = table.asked[number], turns[number]
            for step in range(first, first + len(asked)):
                name = asked[step % len(asked)]
                if name == table.queue:
                    self._take(starts, now, last)
                    if len(starts) > last:
                        return starts
                elif not others[name].take(now):
                    continue
                turns[number] = (step + 1) % len(asked)
                runs = table.runs[name]
                seconds = self.factors[name] * runs[int(chance.random() * len(runs))]
                self.work += seconds * (table.queue in asked)
                heapreplace(free, (now + seconds, number))
                break
            else:
                heapreplace(free, (min(others[name].next_arrival for name in asked), number))

    def _take(self, starts: list[float], now: float, last: int) -> None:
        """A turn of this line. An entry is still there at the moment t with the probability exp(-leaving t)."""
        starts.append(now)
        while len(starts) <= last and self.leaving and self.chance.random() > math.exp(-self.leaving * now):
            starts.append(now)
        self.turns += 1

    def play_in_strides(self, pace: float) -> None:
        """The later turns. `pace` is that of all games; this one's differs as its runs do.

        The mean is that of Erlang-A, the sum of 1 / (1 / pace + j leaving) as an integral (W. Whitt, "Predicting
        Queueing Delays", Management Science 45:6, 1999). The variance is that of as many runs: n turns of several
        workers vary like n times the square of pace and variation (D. Cox, "Renewal Theory", 1962, chapter 6).
        """
        table, leaving = self.table, self.leaving
        pace *= self.factors[table.queue]
        before, now = table.first_points[-1], self.times[-1]
        for point in table.points[len(table.first_points) :]:
            expected = (point - before) * pace
            if leaving:
                expected = math.log1p(leaving * expected * math.exp(-leaving * now)) / leaving
            now += max(0.0, self.chance.gauss(expected, table.variation * math.sqrt(expected * pace)))
            self.times.append(now)
            before = point


class _Other:
    """Another line in a game: its entries, and those who are still to come."""

    def __init__(self, state: LineState, chance: random.Random) -> None:
        self.state, self.chance = state, chance
        self.waiting = state.waiting + state.returning
        self.next_arrival = self._after(0.0)

    def take(self, now: float) -> bool:
        """True if a present entry was there to be taken."""
        while self.next_arrival <= now:
            self.waiting += 1
            self.next_arrival = self._after(self.next_arrival)
        while self.waiting:
            self.waiting -= 1
            if self.chance.random() <= math.exp(-self.state.leave_rate * now):
                return True
        return False

    def _after(self, now: float) -> float:
        return now + self.chance.expovariate(self.state.arrivals) if self.state.arrivals > 0 else math.inf
