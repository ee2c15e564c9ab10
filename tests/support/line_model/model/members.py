"""The members of the line: entries, and foreign jobs that stock RQ pushed."""

from dataclasses import dataclass
from typing import Any

# Seconds, so long that nothing runs out by itself in a test, and so far apart that none can be taken for another.
CLOSE_GRACE, LOST_GRACE, KEEP_GRACE, LEASE = 100_000, 200_000, 400_000, 100_000
GRACE = {"unseen": CLOSE_GRACE, "closed": CLOSE_GRACE, "lost": LOST_GRACE}
MAX_ATTEMPTS = 2

FINAL = {"succeeded", "failed", "cancelled", "abandoned"}


@dataclass(slots=True)
class Away:
    """An absence that has begun."""

    why: str  # unseen, closed or lost
    seconds: int  # for which the place is kept
    is_over: bool = False  # these seconds have passed


@dataclass(eq=False, slots=True)
class Member:
    """An entry; or a foreign job, which has no row and needs no presence. Members compare by identity."""

    name: str
    id: str
    number: int = 0  # of the row: counts the joins
    priority: int = 0
    needs_presence: bool = True
    is_foreign: bool = False

    # The row
    status: str = "waiting"  # or running, one of FINAL, deleted, foreign
    attempt: int = 0
    worker: str = ""  # of the newest attempt
    reason: str = ""
    is_kept: bool = False  # the visitor asked for a longer hold
    is_seen: bool = False  # the owner has looked at the page
    lease_is_over: bool = False
    is_stale: bool = False  # ended so long ago that the result may be deleted

    # Redis
    place: str = ""  # unseen, line, held, claimed, or nowhere
    rank: tuple[int, int, str] = (0, 0, "")
    is_present: bool = False
    keeps_long: bool = False  # the longer hold is known to Redis, too
    absence: Away | None = None  # while it is held or unseen
    note: Away | None = None  # an absence that began outside of the line

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """The name alone, in Hypothesis' report of a failure."""
        printer.text(self.name)

    @property
    def is_waiting(self) -> bool:
        return self.status == "waiting"

    @property
    def is_running(self) -> bool:
        return self.status == "running"

    @property
    def is_live(self) -> bool:
        return self.is_waiting or self.is_running

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def has_row(self) -> bool:
        return self.status not in {"deleted", "foreign"}

    @property
    def has_visitor(self) -> bool:
        return self.has_row and self.needs_presence


@dataclass(slots=True)
class Claim:
    """A member that a worker holds and has not started."""

    member: Member
    is_old: bool = False  # the worker should have started it by now
