"""Workers: claims, the last look, starts and ends; and workers that die."""

import math

from queueing.conf import conf
from queueing.line import presence, scripts
from queueing.line.epoch import PATIENCE
from queueing.line.places import FIRST_WINDOW, LARGEST_WINDOW, WINDOW_GROWTH
from tests.benchmarks.simulation.scenario import RUNNING, SERVED, WAITING
from tests.benchmarks.simulation.world import QUEUE, World, job_id, number_of

SHARE_LOST = 0.1  # of the workers
LOST_AT_CLAIM = 5  # workers that die between claim and start


class Workers:
    """All workers. A dead one is replaced after a LEASE."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.idle = [f"worker{number}" for number in range(world.scenario.workers)]
        self.busy: dict[int, str] = {}  # by the number of the entry
        self._no_epoch_since: float | None = None
        self._dying = 0  # the next so many die after their claim
        self._next_look = 0.0

    def go_on(self) -> None:
        """Idle workers claim until nobody is there; then they look again after a second."""
        world = self.world
        if world.now < self._next_look:
            return
        while self.idle:
            number = self._claim(self.idle[-1])
            if number is None:
                self._next_look = world.now + 1
                break
            worker = self.idle.pop()
            world.referee.judge_claim(number)
            if self._dying:
                self._die_after_claim(worker, number)
            elif presence.is_present(QUEUE, job_id(number)):
                self._start(worker, number)
            else:
                scripts.release(world.client, world.keys, worker, job_id(number), number, conf.LOST_GRACE)
                self.idle.append(worker)
        world.send()

    def lose(self) -> None:
        """A tenth of the workers die in mid-task, and a few more between claim and start."""
        self._dying = LOST_AT_CLAIM
        running = sorted(self.busy)
        for number in self.world.random.sample(running, math.ceil(SHARE_LOST * len(running))):
            worker = self.busy.pop(number)
            self.world.counts["runs lost with their worker"] += 1
            self.world.after(conf.LEASE, self._recover_lease, number)
            self.world.after(conf.LEASE, lambda _, worker=worker: self.idle.append(worker))  # type: ignore[misc]

    def _claim(self, worker: str) -> int | None:
        """As `Line.claim_job`, with the patience of this game's clock."""
        world, window = self.world, FIRST_WINDOW
        while True:
            claimed = scripts.claim(
                world.client,
                world.keys,
                worker,
                window=window,
                grace=conf.LOST_GRACE,
                waits_for_epoch=self._has_patience(),
            )
            if claimed is None:
                return None
            if claimed.obstacle == "unknown":
                world.steer()
                continue
            self._note_epoch(has_epoch=claimed.has_epoch)
            world.counts["absent passed by claims"] += claimed.passed
            if claimed.job_id:
                return number_of(claimed.job_id)
            if claimed.newcomers_wait or not claimed.has_epoch:
                return None
            window = min(window * WINDOW_GROWTH, LARGEST_WINDOW)

    def _has_patience(self) -> bool:
        return self._no_epoch_since is None or self.world.now - self._no_epoch_since < PATIENCE

    def _note_epoch(self, *, has_epoch: bool) -> None:
        if has_epoch:
            self._no_epoch_since = None
        elif self._no_epoch_since is None:
            self._no_epoch_since = self.world.now

    def _start(self, worker: str, number: int) -> None:
        world = self.world
        world.status[number] = RUNNING
        world.attempt[number] += 1
        self.busy[number] = worker
        world.call("end_claim", worker, job_id(number), "1")
        seconds = world.random.expovariate(1 / world.scenario.service)
        world.counts["starts"] += 1
        world.after(seconds, self._end, number)

    def _end(self, number: int) -> None:
        world = self.world
        worker = self.busy.pop(number, None)
        if worker is None:  # it died, and the next attempt may not have begun
            return
        world.status[number] = SERVED
        world.line.remove(job_id(number), world.pipe)
        world.counts["served"] += 1
        self.idle.append(worker)

    def _die_after_claim(self, worker: str, number: int) -> None:
        world = self.world
        self._dying -= 1
        world.claimed[number] = 1
        world.counts["claims lost with their worker"] += 1

        def recover(_: int) -> None:
            world.claimed[number] = 0
            self._give_back(worker, number)
            self.idle.append(worker)

        world.after(conf.LEASE, recover)

    def _recover_lease(self, number: int) -> None:
        """As `Keeper.recover_leases`: the row waits again, in its old place."""
        self.world.status[number] = WAITING
        self._give_back("", number)

    def _give_back(self, worker: str, number: int) -> None:
        world = self.world
        place = scripts.release(world.client, world.keys, worker, job_id(number), number, conf.LOST_GRACE)
        world.counts[f"came back to the place ({place or 'had one'})"] += 1
        world.referee.note_present(number)
