"""Counts of what must never happen. The referee knows the truth of the world, and asks Valkey only at the end."""

import heapq
from collections import Counter
from typing import TYPE_CHECKING

from queueing.conf import conf
from queueing.states import Absence
from tests.benchmarks.simulation.scenario import WAITING

if TYPE_CHECKING:
    from tests.benchmarks.simulation.world import World

# Seconds that a visitor may be gone before every process knows: README, "The promise". A step is the error of the game.
KNOWN = 25.0
GRACE = {Absence.CLOSED: "CLOSE_GRACE", Absence.LOST: "LOST_GRACE", Absence.UNSEEN: "CLOSE_GRACE"}


class Referee:
    """Counts the violations of each rule."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.faults: Counter[str] = Counter()
        self.longest_absence = 0.0  # seconds, of a visitor who was claimed
        self._present: list[int] = []  # heap: numbers that were present at some time; those that are not are skipped

    def note_present(self, number: int) -> None:
        """A host has beaten for this page: from now on nobody behind it may be claimed before it."""
        heapq.heappush(self._present, number)

    def judge_claim(self, number: int) -> None:
        """An entry is handed to a worker."""
        world = self.world
        if not world.seen[number]:
            self.faults["served, and never came"] += 1
        if world.gone[number]:
            self.faults["served, and known to be away"] += 1
        if not world.open[number]:
            absence = world.now - world.away_at[number]
            self.longest_absence = max(self.longest_absence, absence)
            self.faults["served after too long an absence"] += absence > KNOWN
        first = self._first_present()
        if first is not None and first < number:
            self.faults["served before somebody present"] += 1

    def judge_drop(self, number: int, absence: Absence) -> None:
        """An entry leaves the line for good."""
        world = self.world
        since = min(world.away_at[number], world.gone_at[number]) if world.gone[number] else world.away_at[number]
        if world.open[number] or (absence == Absence.UNSEEN and world.seen[number]):
            self.faults["dropped, and present"] += 1
        elif world.now - since < getattr(conf, GRACE[absence]):
            self.faults["dropped too early"] += 1

    def judge_end(self) -> None:
        """All rows that wait have a place, and nothing else has."""
        world = self.world
        placed = {int(job, 16) for job in world.line.all_ids()}
        waiting = set(world.waiting())
        self.faults["rows without a place"] += len(waiting - placed)
        self.faults["places without a row"] += len(placed - waiting)

    def _first_present(self) -> int | None:
        world, heap = self.world, self._present
        while heap:
            number = heap[0]
            is_there = world.open[number] and world.host[number] >= 0 and not world.gone[number]
            if world.status[number] == WAITING and is_there and not world.claimed[number]:
                return number
            heapq.heappop(heap)
        return None
