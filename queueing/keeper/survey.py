"""Surveys all lines and their workers, and publishes the facts of each line for its pages."""

import json
import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple, cast

from django.conf import settings

from queueing import eta, forecast, run_times, site_time
from queueing.facts import BY_KEEPER, FACTS_TTL, Facts
from queueing.history.reading import Habits
from queueing.keeper import recent
from queueing.line import levers
from queueing.line.clients import connection, own_address
from queueing.line.keys import facts_key
from queueing.line.places import get_line
from queueing.line.workers import LiveWorker, all_workers, is_counting
from queueing.models import Entry, EntryQuerySet
from queueing.registry import get_task

# Facts of a line in which nothing has happened are made anew at this pace, since the work in it goes on. A long line
# waits longer: each of its pages is sent new numbers then.
REFRESH = 2.0  # seconds
PAGES_A_SECOND = 1000
# One survey makes facts for so long, and ends the line that it has begun. The keeper has other work in its round.
BUDGET = 0.5  # seconds


class Running(NamedTuple):
    """A running row."""

    pk: int
    queue: str
    workers: list[str]  # the last one is that of this attempt
    started: datetime
    progress: float | None


class Surveyor:
    """Publishes facts, and remembers what they were made of. The memory may be forgotten at any time."""

    def __init__(self, budget: float = BUDGET) -> None:
        self.budget, self.habits = budget, Habits()
        self._made: dict[str, tuple[Any, float]] = {}  # by line: the circumstances and the moment of its last facts

    def publish(self, queues: Collection[str] | None = None) -> int:
        """Write the facts of these lines, or of all, if they may have changed; returns how many have new ones.

        When the budget is used up, the other lines keep their facts until the next survey, which begins with them.
        """
        end, written = time.monotonic() + self.budget, 0
        survey = Survey(workers=all_workers(queues), habits=self.habits)
        for queue in sorted(settings.QUEUEING_TASKS if queues is None else queues, key=self._made_at):
            is_lost = not connection(queue).expire(facts_key(queue), FACTS_TTL)
            if written and time.monotonic() >= end:
                continue
            circumstances, now = survey.circumstances(queue), time.monotonic()
            before, made_at = self._made.get(queue, (None, 0.0))
            if is_lost or circumstances != before or now - made_at >= refresh_after(survey.waiting(queue)):
                self._made[queue] = circumstances, now
                write(queue, survey.facts(queue))
                written += 1
        return written

    def _made_at(self, queue: str) -> float:
        return self._made[queue][1] if queue in self._made else 0.0


def refresh_after(waiting: int) -> float:
    """Seconds after which the facts of a line are made anew although nothing has happened."""
    return max(REFRESH, waiting / PAGES_A_SECOND)


def write(queue: str, facts: Facts) -> None:
    """Write the facts of a line for its pages."""
    values = {name: getattr(facts, name) for name in BY_KEEPER}
    connection(queue).set(facts_key(queue), json.dumps(values, separators=(",", ":")), ex=FACTS_TTL)


@dataclass
class Survey:
    """All lines and workers at this moment. What is asked twice is read once."""

    at: datetime = field(default_factory=site_time.now)
    workers: list[LiveWorker] = field(default_factory=all_workers)
    habits: Habits = field(default_factory=Habits)
    _counting: dict[str, bool] = field(default_factory=dict)  # by own address of a server
    _waiting: dict[str, int] = field(default_factory=dict)
    _limits: dict[str, int | None] = field(default_factory=dict)
    _ends: dict[str, list[recent.End]] = field(default_factory=dict)
    _states: dict[str, forecast.LineState] = field(default_factory=dict)

    @cached_property
    def running(self) -> list[Running]:
        """The running rows of all lines."""
        rows = running_rows().values_list("pk", "queue", "worker_ids", "last_attempted_at", "progress")
        return [Running._make(row) for row in rows]

    @cached_property
    def takers(self) -> list[LiveWorker]:
        """The workers that take entries. Those that are quiet or stopping only finish what they have."""
        return [worker for worker in self.workers if worker.takes_work]

    @cached_property
    def crew(self) -> list[forecast.Worker]:
        """The workers that take entries, with their tasks, and their lines in the order of the next turn."""
        by_worker = {row.workers[-1]: row for row in self.running if row.workers}
        return [self._member(worker, by_worker.get(worker.name)) for worker in self.takers]

    def is_counting(self, queue: str) -> bool:
        """True after a flush of the line's server: not all workers have come back yet."""
        own = own_address(queue)
        if own not in self._counting:
            self._counting[own] = is_counting(queue)
        return self._counting[own]

    def waiting(self, queue: str) -> int:
        """The present entries in the line."""
        if queue not in self._waiting:
            line = get_line(queue)
            self._waiting[queue] = int(line.client.zcard(line.keys.line))
        return self._waiting[queue]

    def circumstances(self, queue: str) -> Any:
        """The inputs whose change makes new facts: the workers of this and related lines, and their running rows."""
        related = self._related(queue)
        workers = [worker for worker in self.workers if related.intersection(worker.lines)]
        rows = [(row.pk, row.workers) for row in self.running if row.queue in related]
        # Sorted, because PostgreSQL returns a renewed row elsewhere in the order.
        return self.is_counting(queue), self._most(queue), workers, sorted(rows)

    def facts(self, queue: str) -> Facts:
        """The facts of the line."""
        crew = self._crew_within(queue)
        serving = [worker for worker in self.crew if queue in worker.lines]
        elsewhere = {row.workers[-1] for row in self.running if row.queue != queue and row.workers}
        states = {name: self._state(name) for name in self._related(queue)}
        return Facts(
            workers=len(serving) or (None if self.is_counting(queue) else 0),
            running=sum(row.queue == queue for row in self.running),
            busy=sum(worker.run is not None for worker in serving),
            busy_elsewhere=sum(worker.name in elsewhere for worker in self.takers if queue in worker.lines),
            first_priority=max((end.priority for end in self._ended(queue)), default=None),
            return_share=round(recent.return_share(self._ended(queue)), 3),
            waits=tuple(
                (ahead, round(low, 1), round(high, 1)) for ahead, low, high in forecast.waits(queue, states, crew)
            ),
        )

    def _most(self, queue: str) -> int | None:
        """The limit of running entries of the line."""
        if queue not in self._limits:
            line = get_line(queue)
            written = levers.parse(cast("bytes | None", line.client.get(line.keys.levers)))
            self._limits[queue] = written.max_running if written else None
        return self._limits[queue]

    def _crew_within(self, queue: str) -> list[forecast.Worker]:
        """The crew, in which no more workers serve the line than may run its entries."""
        most = self._most(queue)
        if most is None:
            return self.crew
        serving = [worker for worker in self.crew if queue in worker.lines]
        serving.sort(key=lambda worker: worker.run is None or worker.run.line != queue)  # those with its entries first
        beyond = {id(worker) for worker in serving[most:]}
        return [
            replace(worker, lines=tuple(name for name in worker.lines if name != queue))
            if id(worker) in beyond
            else worker
            for worker in self.crew
        ]

    def _related(self, queue: str) -> set[str]:
        """The lines that share workers with this one, directly or through the workers of another one."""
        related, size = {queue}, 0
        while len(related) > size:
            size = len(related)
            related.update(*(worker.lines for worker in self.workers if related.intersection(worker.lines)))
        return related & {queue, *settings.QUEUEING_TASKS}

    def _member(self, worker: LiveWorker, row: Running | None) -> forecast.Worker:
        lines = tuple(name for name in worker.lines if name in settings.QUEUEING_TASKS)
        if row is None:  # busy without a row: it is about to start an entry, or works on a foreign job
            return forecast.Worker(lines, run_times.OngoingRun(lines[0]) if worker.is_busy and lines else None)
        turn = lines.index(row.queue) + 1 if row.queue in lines else 0
        return forecast.Worker(lines[turn:] + lines[:turn], self._ongoing(row))

    def _ongoing(self, row: Running) -> run_times.OngoingRun:
        # The age compares the clocks of two hosts. It moves an estimate, and decides nothing.
        return run_times.OngoingRun(row.queue, max(0.0, (self.at - row.started).total_seconds()), row.progress)

    def _state(self, queue: str) -> forecast.LineState:
        if queue not in self._states:
            self._states[queue] = self._read_state(queue)
        return self._states[queue]

    def _read_state(self, queue: str) -> forecast.LineState:
        alive = {worker.name for worker in self.workers}
        running = [row for row in self.running if row.queue == queue]
        ends = self._ended(queue)
        waits = [(end.started - end.joined).total_seconds() for end in ends if end.started]
        busy = recent.busy_seconds(recent.runs(queue))
        left = recent.leavers(ends, busy)
        seconds = (self.at - ends[-1].finished).total_seconds() if len(ends) > 1 else 0.0
        return forecast.LineState(
            waiting=self.waiting(queue),
            runs=run_times.known_runs(
                busy,
                [self._ongoing(row) for row in running],
                get_task(queue).typical_seconds,
                # Asked only where recent runs are few: it reads a month.
                self.habits.runs(queue) if len(busy) < run_times.PRIOR_RUNS else (),
            ),
            arrivals=(len(waits) + left) / seconds if seconds > 0 else 0.0,
            leave_rate=eta.leave_rate(waits, left=left),
            left=left,
            returning=sum(not alive.intersection(row.workers[-1:]) for row in running),
        )

    def _ended(self, queue: str) -> list[recent.End]:
        if queue not in self._ends:
            self._ends[queue] = recent.ends(queue)
        return self._ends[queue]


def running_rows() -> EntryQuerySet:
    """The running rows of all lines, by the index on the line."""
    return Entry.objects.running().filter(queue__in=list(settings.QUEUEING_TASKS), last_attempted_at__isnull=False)
