"""The walk: random moves of everybody, each by the verb that the site uses, in two lines.

No time is waited for: ages, deadlines and leases are written into rows and keys.
"""

from dataclasses import dataclass

from tests.support.honesty.office import Office
from tests.support.honesty.stage import WORKERS
from tests.support.honesty.visitors import Visitors
from tests.support.honesty.workers import Workers

# The moves, by how often they come.
MOVES = {
    "join": 16, "enqueue": 2, "join_again": 3, "look": 8, "beat": 6, "close": 3, "lose": 3, "run_out": 3, "be_late": 2,
    "leave": 2, "keep": 1, "worker_comes": 1, "worker_goes": 1, "claim": 12, "start": 12, "succeed": 5, "fail": 4,
    "abandon": 1, "die": 2, "be_lost": 1, "act": 5, "steer": 2, "free": 6, "suspend": 1, "unsuspend": 8, "round": 4,
    "count": 2, "grow_old": 2, "purge": 3,
}  # fmt: skip


@dataclass
class Walk(Visitors, Workers, Office):
    """All moves together."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for _ in range(WORKERS):
            self.worker_comes()

    def step(self) -> str:
        """One move that is possible now; returns its name."""
        while True:
            (name,) = self.chance.choices(list(MOVES), list(MOVES.values()))
            if getattr(self, name)() is not False:
                self.made[name] += 1
                return name
