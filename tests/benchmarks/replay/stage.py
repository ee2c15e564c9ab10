"""Visitors, runs, workers and lines of a replay."""

import math
from bisect import insort
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from queueing.keeper.recent import RECENT_ENDS, RECENT_RUNS
from tests.benchmarks.replay.crowds import Kind

type Range = tuple[float, float]


@dataclass(eq=False)
class Person:
    """A visitor."""

    line: "Line"
    number: int  # in the line's crowd
    place: int
    arrived: float
    service: float
    state: Literal["present", "held", "running", "over"] = "present"
    absences: int = 0  # so far: the deadline of an earlier one does not count
    has_given_up: bool = False
    looks: list["Look"] = field(default_factory=list)  # whose true wait is not known yet


@dataclass(eq=False)
class Look:
    """A look at the page: the ranges that the two estimators gave, and the wait that followed."""

    at: float
    ahead: int
    ours: Range | None
    rival: Range | None
    true: float = math.nan


@dataclass(eq=False)
class Run:
    """A run of a task."""

    person: Person
    worker: "Worker"
    started: float
    warp: float  # progress is not quite even: (t / T) ** warp
    steps: int  # it is reported in so many steps
    died: bool = False

    def progress(self, now: float) -> float | None:
        """The row's state at that moment."""
        if not self.person.line.kind.progress:
            return None
        share = min(1.0, (now - self.started) / max(self.person.service, 1e-9))
        return float(math.floor(share**self.warp * self.steps) / self.steps)


@dataclass(eq=False)
class Worker:
    """A worker. A dead one counts as alive for a while."""

    lines: tuple[str, ...]
    run: Run | None = None
    is_alive: bool = True
    counts: bool = True
    turn: int = 0  # of its lines, the one that it asks first


@dataclass(eq=False)
class Line:
    """A line, and what the database would remember of it."""

    name: str
    kind: Kind
    present: list[Person] = field(default_factory=list)
    held: list[Person] = field(default_factory=list)
    # Visitors who are not present, and whose turn would not have come yet.
    away: list[Person] = field(default_factory=list)
    runs: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_RUNS))
    ends: deque[tuple[float, float | None]] = field(default_factory=lambda: deque(maxlen=RECENT_ENDS))  # moment, wait
    came_back: deque[bool] = field(default_factory=lambda: deque(maxlen=RECENT_ENDS))  # of each absence


def by_place(person: Person) -> int:
    """The order of a line."""
    return person.place


def enter(people: list[Person], person: Person) -> None:
    """Put a visitor into the order."""
    insort(people, person, key=by_place)
