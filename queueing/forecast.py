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

from queueing.run_times import OngoingRun, Rest

GAMES = 200
# The quantiles between which a range lies. They hold 88 % of the games for a range that is meant to hold 85 % of the
# true waits: the facts are some seconds old when they are read, and few runs do not show the longest ones.
LOW, HIGH = 0.06, 0.94
# Entries that are played one by one; with several lines, fewer. Those behind them are played in strides, because a line
# may have 10,000.
ONE_BY_ONE = 32
# Turns of all lines in a game, at most. Half of them is for workers that ask many other lines first.
TURNS = 128
STRIDE = 1.33
POISSON = 5  # events from which on their number is drawn from the normal distribution


@dataclass(frozen=True, slots=True)
class Worker:
    """A live worker."""

    lines: tuple[str, ...]  # in the order of its next turn
    run: OngoingRun | None = None  # None: idle


@dataclass(frozen=True, slots=True)
class LineState:
    """A line as the forecast sees it."""

    waiting: int = 0  # present entries
    runs: tuple[float, ...] = ()  # see `run_times.known_runs`
    arrivals: float = 0.0  # new entries per second
    leave_rate: float = 0.0  # leavers per second and waiting visitor
    left: int = 0  # leavers from which that rate is known
    returning: int = 0  # running entries of dead workers: they come back to their places

    @property
    def has_work(self) -> bool:
        return self.waiting + self.returning > 0 or self.arrivals > 0


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
    pace = _pace(table, games)
    for game in games:
        game.play_in_strides(pace)
    return [
        (ahead, _quantile(times, LOW), _quantile(times, HIGH))
        for number, ahead in enumerate(table.points)
        if (times := sorted(game.times[number] for game in games))
    ]


def _pace(table: "_Table", games: Sequence["_Game"]) -> float:
    """The seconds between two turns of the line."""
    if own_turns := sum(game.own_turns for game in games):
        # Worker-seconds of all turns, divided by this line's turns and by its workers.
        return sum(game.work for game in games) / own_turns / len(table.asked)
    return table.cycle / len(table.asked)  # no turn of this line was played: one run of each line for it


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


def _poisson(chance: random.Random, mean: float) -> int:
    """A number of events; of many by the normal distribution, so that they cost no more than a few."""
    if mean > POISSON:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    number, left = -1, mean
    while left >= 0:
        left -= chance.expovariate(1.0)
        number += 1
    return number


@dataclass(frozen=True, slots=True)
class _Helper:
    """A worker of other lines alone. It takes their entries at a rate: playing its turns would cost too much."""

    lines: frozenset[str]  # those with work
    rest: Rest | None
    mean: float  # seconds of a run


class _Table:
    """The data that all games of a forecast share."""

    def __init__(self, queue: str, lines: Mapping[str, LineState], workers: Sequence[Worker]) -> None:
        self.queue, self.lines, self.mine = queue, lines, lines[queue]
        names = sorted({name for worker in workers for name in worker.lines} | {queue})
        self.runs = {name: lines[name].runs or self.mine.runs for name in names}
        self.means = {name: fmean(self.runs[name]) for name in names if name == queue or lines[name].has_work}
        self.variations = {name: _variation(runs) for name, runs in self.runs.items()}
        serving = [worker for worker in workers if queue in worker.lines]
        self.asked = [worker.lines for worker in serving]
        self.rests = [self._rest_of(worker.run) for worker in serving]
        self.others = sorted({name for asked in self.asked for name in asked} - {queue})
        self.cycle = sum(mean for name, mean in self.means.items() if name in {queue, *self.others})
        self.helpers = [self._helper(worker) for worker in workers if queue not in worker.lines]
        self.points = points_up_to(self.mine.waiting)
        most = min(ONE_BY_ONE, TURNS // (2 * len(self.others) + 2), self.mine.waiting + 8)
        self.first_points = self.points[: max(1, bisect_right(self.points, most))]

    def _helper(self, worker: Worker) -> _Helper:
        lines = [name for name in worker.lines if name in self.means]
        mean = fmean(self.means[name] for name in lines) if lines else math.inf
        return _Helper(frozenset(lines), self._rest_of(worker.run), mean)

    def _rest_of(self, run: OngoingRun | None) -> Rest | None:
        return Rest(run, self.runs.get(run.line, self.mine.runs)) if run else None


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
        self.turns = self.own_turns = 0  # of all lines, and of this one
        self.work = 0.0  # seconds of the workers in these turns
        self.starts: list[float] = []
        self.now = self._play_one_by_one(table.mine.returning + table.first_points[-1])
        starts = self.starts[table.mine.returning :]
        self.times = [starts[point] for point in table.first_points if point < len(starts)]

    def _play_one_by_one(self, last: int) -> float:
        """Play the first turns, those of visitors with 0 ... `last` entries ahead; returns the moment of the last one.

        A worker that is free asks its lines in turn, as RQ's RoundRobinWorker does. When the turns are used up before,
        the moment is that of the next turn.
        """
        table, chance = self.table, self.chance
        helpers = [(helper, helper.rest.draw(chance) if helper.rest else 0.0) for helper in table.helpers]
        others = {name: _Other(name, table.lines[name], helpers, chance) for name in table.others}
        following = [0] * len(table.asked)
        free = [(rest.draw(chance) if rest else 0.0, number) for number, rest in enumerate(table.rests)]
        heapify(free)
        while self.turns < TURNS:
            now, number = free[0]
            asked, first = table.asked[number], following[number]
            for step in range(first, first + len(asked)):
                name = asked[step % len(asked)]
                if name == table.queue or others[name].take(now):
                    break
            following[number] = (step + 1) % len(asked)
            seconds = self.factors[name] * chance.choice(table.runs[name])
            self.turns += 1
            self.work += seconds
            heapreplace(free, (now + seconds, number))
            if name == table.queue:
                self._take(now, last)
                if len(self.starts) > last:
                    return now
        return free[0][0]

    def _take(self, now: float, last: int) -> None:
        """A turn of this line. An entry is still there at the moment t with the probability exp(-leaving t)."""
        self.starts.append(now)
        while len(self.starts) <= last and self.leaving and self.chance.random() > math.exp(-self.leaving * now):
            self.starts.append(now)
        self.own_turns += 1

    def play_in_strides(self, pace: float) -> None:
        """The later turns. `pace` is that of all games; this one's differs as its runs do.

        The mean is that of Erlang-A, the sum of 1 / (1 / pace + j leaving) as an integral (W. Whitt, "Predicting
        Queueing Delays", Management Science 45:6, 1999). The variance is that of as many runs: n turns of several
        workers vary like n times the square of pace and variation (D. Cox, "Renewal Theory", 1962, chapter 6).
        """
        table, leaving = self.table, self.leaving
        pace *= self.factors[table.queue]
        before, now = len(self.starts) - 1 - table.mine.returning, self.now
        for point in table.points[len(self.times) :]:
            expected = (point - before) * pace
            if leaving:
                expected = math.log1p(leaving * expected * math.exp(-leaving * now)) / leaving
            now += max(0.0, self.chance.gauss(expected, table.variations[table.queue] * math.sqrt(expected * pace)))
            self.times.append(now)
            before = point


class _Other:
    """Another line in a game: its entries, those who are still to come, and the workers of other lines alone."""

    def __init__(
        self, name: str, state: LineState, helpers: Sequence[tuple[_Helper, float]], chance: random.Random
    ) -> None:
        self.state, self.chance = state, chance
        self.waiting = state.waiting + state.returning
        self.at, self.rate = 0.0, 0.0  # of the helpers that are free
        mine = [(free_at, helper.mean, len(helper.lines)) for helper, free_at in helpers if name in helper.lines]
        self.busy = sorted(mine, reverse=True)

    def take(self, now: float) -> bool:
        """True if a present entry was there to be taken."""
        present = math.exp(-self.state.leave_rate * now)
        self._go_on(now, present)
        if self.waiting and present < 1:  # the number of absent ones before the first present one
            absent = math.log(1 - self.chance.random()) / math.log1p(-present) if present else math.inf
            self.waiting -= int(min(self.waiting, absent))
        taken = self.waiting > 0
        self.waiting -= taken
        return taken

    def _go_on(self, now: float, present: float) -> None:
        """Add the arrivals since the last turn, and take off what the helpers took, from their first free moment on."""
        came = self.state.arrivals * (now - self.at)
        taken = self.rate * (now - self.at)
        while self.busy and self.busy[-1][0] <= now:
            free_at, mean, lines = self.busy.pop()
            taken += (1 + (now - free_at) / mean) / lines  # its first turn is without delay
            self.rate += 1 / mean / lines
        self.at = now
        self.waiting += _poisson(self.chance, came) if came else 0
        if taken and self.waiting:
            taken = min(taken / present, self.waiting) if present else self.waiting
            self.waiting -= min(self.waiting, _poisson(self.chance, taken))
