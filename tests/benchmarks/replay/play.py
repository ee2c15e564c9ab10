"""The events of a replay.

The true wait of a visitor ends when a worker takes somebody of this line and nobody present is ahead of this visitor.
So it is known for those who leave before, too, and no range is left out because it was wrong for them.
"""

import math
import random
from collections.abc import Callable
from heapq import heappop, heappush

from queueing.keeper.round import FACTS_INTERVAL
from queueing.line.workers import WORKER_HEARTBEAT_INTERVAL, WORKER_TTL
from tests.benchmarks.replay.crowds import Crowd
from tests.benchmarks.replay.stage import Line, Look, Person, Run, Worker, enter
from tests.benchmarks.replay.told import Board

CLOSE_GRACE, LOST_GRACE, LEASE = 10.0, 120.0, 30.0  # seconds, as shipped
FIRST_LOOK = 4.0  # seconds after joining, at most
LOOK_EVERY = 60.0  # seconds on average; chosen without regard to how long the wait will be
DEAD_FOR = 60.0  # seconds until a dead worker is back
ABSENT_FOR = 30.0  # seconds on average until an absent visitor is back


def replay(crowd: Crowd, seed: int) -> list[Look]:
    """Play the crowd; returns all looks at pages with their true waits."""
    return Replay(crowd, seed).play()


class Replay:
    """One crowd, played with the draws of one seed."""

    def __init__(self, crowd: Crowd, seed: int) -> None:
        self.crowd, self.chance, self.now = crowd, random.Random(seed), 0.0  # noqa: S311  # numbers, no secrets
        self.lines = {name: Line(name, kind) for name, kind in crowd.lines.items()}
        self.workers = [Worker(lines) for lines in crowd.workers]
        self.runs: list[Run] = []
        self.looks: list[Look] = []
        self.board = Board(self.lines, self.workers, self.runs)
        self.unfinished = 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = self._places = 0

    def play(self) -> list[Look]:
        """All events, until nobody is left."""
        for line in self.lines.values():
            self._plan_arrivals(line)
        self._after(0.0, self._keep)
        self._plan_death()
        while self.unfinished:
            self.now, _, step = heappop(self._events)
            step()
        return [look for look in self.looks if not math.isnan(look.true)]

    def _after(self, seconds: float, step: Callable[[], None]) -> None:
        self._serial += 1
        heappush(self._events, (self.now + seconds, self._serial, step))

    def _draw(self, mean: float) -> float:
        return self.chance.expovariate(1 / mean)

    # The keeper

    def _keep(self) -> None:
        self.board.publish(self.now)
        self._after(FACTS_INTERVAL, self._keep)

    # Visitors

    def _plan_arrivals(self, line: Line) -> None:
        moment = 0.0
        for number in range(line.kind.size):
            if number % line.kind.batch == 0:
                moment += self._draw(line.kind.batch / line.kind.arrivals)
            self._after(moment, self._arrival(line, number, line.kind.run(self.chance)))
            self.unfinished += 1

    def _arrival(self, line: Line, number: int, service: float) -> Callable[[], None]:
        def arrive() -> None:
            self._places += 1
            person = Person(line, number, self._places, self.now, service)
            self._stand(person)
            if line.kind.patience < math.inf:
                self._after(self._draw(line.kind.patience), lambda: self._give_up(person))

        return arrive

    def _stand(self, person: Person) -> None:
        """Take the place, for the first time or again. An idle worker takes the entry without delay."""
        person.state = "present"
        enter(person.line.present, person)
        for worker in self.workers:
            if worker.is_alive and worker.run is None and person.line.name in worker.lines:
                self._ask(worker)
                return
        self._look_after(self.chance.uniform(0, FIRST_LOOK), person)
        if person.line.kind.absences:
            self._after(self._draw(1 / person.line.kind.absences), lambda: self._lose(person))

    def _look_after(self, seconds: float, person: Person) -> None:
        absences = person.absences

        def look() -> None:
            if person.state == "present" and person.absences == absences:
                if person.number >= self.crowd.warm_up * person.line.kind.size:
                    person.looks.append(self.board.look(person, self.now))
                    self.looks.append(person.looks[-1])
                self._look_after(self._draw(LOOK_EVERY), person)

        self._after(seconds, look)

    def _give_up(self, person: Person) -> None:
        person.has_given_up = True
        if person.state == "present":
            self._go(person, CLOSE_GRACE)

    def _lose(self, person: Person) -> None:
        """The connection is lost."""
        if person.state == "present":
            self._go(person, LOST_GRACE)
            if self.chance.random() < person.line.kind.returns:
                self._after(self._draw(ABSENT_FOR), lambda: self._come_back(person))

    def _go(self, person: Person, grace: float) -> None:
        line = person.line
        line.present.remove(person)
        enter(line.held, person)
        enter(line.away, person)
        person.state, person.absences = "held", person.absences + 1
        absences = person.absences
        self._after(grace, lambda: self._drop(person, absences))

    def _come_back(self, person: Person) -> None:
        if person.state == "held" and not person.has_given_up:
            person.line.held.remove(person)
            if person in person.line.away:
                person.line.away.remove(person)
            person.line.came_back.append(True)
            self._stand(person)

    def _drop(self, person: Person, absences: int) -> None:
        if person.state == "held" and person.absences == absences:
            person.line.held.remove(person)
            person.line.came_back.append(False)
            self._end(person, None)

    def _end(self, person: Person, wait: float | None) -> None:
        person.state = "over"
        person.line.ends.append((self.now, wait))
        self.unfinished -= 1

    # Workers

    def _ask(self, worker: Worker) -> None:
        """A free worker asks its lines in turn, as RQ's RoundRobinWorker does."""
        for step in range(worker.turn, worker.turn + len(worker.lines)):
            line = self.lines[worker.lines[step % len(worker.lines)]]
            self._pass(line, line.present[0].place if line.present else math.inf)
            if line.present:
                worker.turn = (step + 1) % len(worker.lines)
                self._start(worker, line.present.pop(0))
                return

    def _pass(self, line: Line, claimed: float) -> None:
        """The turn of those who are away ahead of this place would have come now."""
        while line.away and line.away[0].place < claimed:
            self._know_wait(line.away.pop(0))

    def _know_wait(self, person: Person) -> None:
        for look in person.looks:
            look.true = self.now - look.at
        person.looks.clear()

    def _start(self, worker: Worker, person: Person) -> None:
        self._know_wait(person)
        person.state = "running"
        run = Run(person, worker, self.now, math.exp(self.chance.gauss(0, 0.3)), self.chance.randint(4, 40))
        worker.run = run
        self.runs.append(run)
        self._after(person.service, lambda: self._finish(run))

    def _finish(self, run: Run) -> None:
        if run.died:
            return
        self.runs.remove(run)
        run.person.line.runs.append(run.person.service)
        self._end(run.person, run.started - run.person.arrived)
        run.worker.run = None
        self._ask(run.worker)

    # Deaths

    def _plan_death(self) -> None:
        if self.crowd.deaths:
            self._after(self._draw(1 / self.crowd.deaths), self._die)

    def _die(self) -> None:
        self._plan_death()
        worker = self.chance.choice(self.workers)
        if not worker.is_alive:
            return
        worker.is_alive = False
        # The last heartbeat, and the last renewal of the lease, were half an interval ago on average.
        since = WORKER_HEARTBEAT_INTERVAL / 2
        self._after(WORKER_TTL - since, lambda: setattr(worker, "counts", False))
        self._after(DEAD_FOR, lambda: self._revive(worker))
        if (run := worker.run) is not None:
            run.died = True
            self._after(LEASE - since, lambda: self._recover(run))

    def _recover(self, run: Run) -> None:
        """The lease is over: the entry is back in its place."""
        self.runs.remove(run)
        self._stand(run.person)

    def _revive(self, worker: Worker) -> None:
        worker.is_alive = worker.counts = True
        worker.run = None
        self._ask(worker)
