"""The keeper's round: hold, drop, and the places after a flush."""

import math
from itertools import batched

from queueing.conf import conf
from queueing.keeper.holding import WINDOW, Holder
from queueing.keeper.reconcile import FLUSH_PAUSE
from queueing.line import epoch, presence, scripts
from queueing.line.epoch import PATIENCE
from queueing.line.scripts import Ranked
from tests.benchmarks.simulation.scenario import DROPPED, WAITING
from tests.benchmarks.simulation.visitors import Visitors
from tests.benchmarks.simulation.world import QUEUE, World, job_id, number_of


class Keeper:
    """Makes a round each second of the game."""

    def __init__(self, world: World, visitors: Visitors) -> None:
        self.world, self.visitors = world, visitors
        self.away_until = -math.inf
        self._server = epoch.run_id(world.client)
        self._holder = Holder(world.keys)
        self._restoring_since: float | None = None
        self._missing: list[int] | None = None  # rows that have no place yet, last one first

    def round(self) -> None:
        if self.world.now < self.away_until:
            return
        if epoch.read_epoch(self.world.client, QUEUE) != self._server:
            self._restore()
            return
        self._hold()
        self._drop()

    def _hold(self) -> None:
        for _ in range(self.world.scenario.looked_at // WINDOW):
            self.world.counts["held by the keeper"] += self._holder.go_on(self.world.client, until=-math.inf)
            if self._holder._rank == 0:  # the end of the line
                break

    def _drop(self) -> None:
        world = self.world
        for _ in range(world.scenario.dropped // WINDOW):
            dropped = scripts.drop(
                world.client,
                world.keys,
                least_watch=conf.LOST_GRACE,
                window=WINDOW,
                watch_life=presence.watch_life(),
            )
            for job, absence in dropped:
                number = number_of(job)
                world.referee.judge_drop(number, absence)
                world.status[number] = DROPPED
                world.counts[f"dropped ({absence})"] += 1
            if dropped:
                world.line.delete_jobs([job for job, _ in dropped])
            if len(dropped) < WINDOW:
                break

    def _restore(self) -> None:
        """As `Reconciler._restore_all`, but some rows a second: it takes that long, and workers do not stand still."""
        world = self.world
        if self._restoring_since is None or not epoch.is_being_restored(world.client, QUEUE):
            epoch.begin_restoring(world.client, QUEUE)
            waiting = self._without_place()
            world.client.set(world.keys.newest, waiting[-1])
            world.after(PATIENCE, lambda _: world.client.delete(world.keys.newest))
            self._restoring_since, self._missing = world.now, None
        if world.now - self._restoring_since < FLUSH_PAUSE:
            return
        if self._missing is None:
            self._missing = self._without_place()[::-1]
        some = [self._missing.pop() for _ in range(min(world.scenario.restored, len(self._missing)))]
        for batch in batched(some, WINDOW):
            self._give_places(batch)
        if not self._missing and epoch.begin_epoch(world.client, QUEUE, self._server):
            world.counts["seconds from the flush to the epoch"] = round(world.now - world.emptied_at)
            self._restoring_since = None

    def _give_places(self, numbers: tuple[int, ...]) -> None:
        world = self.world
        rows = [number for number in numbers if world.status[number] == WAITING]
        places = [Ranked(job_id(number), number) for number in rows if world.seen[number]]
        world.counts["places restored"] += len(scripts.restore(world.client, world.keys, places))
        for number in rows:
            if not world.seen[number]:
                self.visitors.place(number)
        world.send()

    def _without_place(self) -> list[int]:
        placed = {number_of(job) for job in self.world.line.all_ids()}
        return [number for number in self.world.waiting() if number not in placed]
