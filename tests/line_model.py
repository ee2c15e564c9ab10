"""The line in plain Python: what must happen, told without Redis, without a database and without a clock.

`tests/test_line_model.py` drives the real thing beside it. Time is data: a deadline, a claim, a lease or a result is
past its time when a test has said so. Members compare by identity; their order is the order of joining.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

# Seconds, so long that nothing runs out by itself in a test, and so far apart that one cannot be taken for another.
CLOSE_GRACE, LOST_GRACE, KEEP_GRACE, LEASE = 100_000, 200_000, 400_000, 100_000
GRACE = {"closed": CLOSE_GRACE, "lost": LOST_GRACE}
MAX_ATTEMPTS = 2

FINAL = {"succeeded", "failed", "cancelled", "abandoned"}


@dataclass(slots=True)
class Absence:
    """Why somebody is away, for how many seconds the place is kept, and whether they have passed."""

    cause: str
    seconds: int
    is_over: bool = False


@dataclass(eq=False, slots=True)
class Member:
    """An entry, or somebody else's job (`foreign`), which has no row and nobody who must be there."""

    name: str
    id: str
    number: int = 0  # of the row: counts the joins
    priority: int = 0
    attended: bool = True  # somebody has to be there
    foreign: bool = False

    # The row
    status: str = "waiting"  # or running, one of FINAL, deleted, foreign
    attempt: int = 0
    worker: str = ""  # of the newest attempt
    reason: str = ""
    kept: bool = False  # the visitor asked for a longer hold
    newborn: bool = False  # too young for the keeper to miss its place
    lease_over: bool = False
    stale: bool = False  # ended so long ago that the result may go

    # Redis
    place: str = ""  # line, held, claimed, or nowhere
    rank: tuple[int, int, str] = (0, 0, "")
    present: bool = False
    keeps_long: bool = False  # what Redis knows of `kept`
    absence: Absence | None = None  # of who is held
    note: Absence | None = None  # a goodbye that was said outside of the line

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """In Hypothesis' report of a failure the name is enough."""
        printer.text(self.name)

    @property
    def is_live(self) -> bool:
        return self.status in {"waiting", "running"}

    @property
    def has_row(self) -> bool:
        return self.status not in {"deleted", "foreign"}


@dataclass(slots=True)
class Claim:
    member: Member
    is_old: bool = False


@dataclass(slots=True)
class LineModel:
    """One line, its rows, and what the keeper remembers."""

    members: list[Member] = field(default_factory=list)
    inbox: list[Member] = field(default_factory=list)
    claims: dict[str, Claim] = field(default_factory=dict)
    watch: str = ""  # nobody beats; or young, or old enough
    flush: str = ""  # none to think of; or unseen by the keeper, or the pause after it

    # Who is where

    def line(self) -> list[Member]:
        return self._at("line")

    def held(self) -> list[Member]:
        return self._at("held")

    def _at(self, place: str) -> list[Member]:
        return sorted((member for member in self.members if member.place == place), key=lambda member: member.rank)

    # Visitors

    def join(self, member: Member) -> None:
        self.members.append(member)
        member.rank = (-member.priority, member.number, member.id)
        member.place, member.present = "line", True

    def push(self, member: Member) -> None:
        """Stock RQ knows no line: the job waits in the inbox for the next claim."""
        self.inbox.append(member)

    def beat(self, members: list[Member]) -> list[Member]:
        """Those who were held and are back."""
        back = [member for member in members if member.place == "held"]
        for member in members:
            member.present, member.note = True, None
        for member in back:
            self._put(member, "line")
        return back

    def close(self, member: Member, cause: str) -> None:
        member.present = False
        if member.place == "line":
            self._hold(member, cause)
        elif member.place != "held":
            member.note = Absence(cause, self._span(member, cause))

    def leave(self, member: Member) -> None:
        if member.is_live:
            member.status, member.reason = "cancelled", "left"
        if member.attempt == 0 and member in self.inbox:
            self.inbox.remove(member)
        self.forget(member)

    def keep(self, member: Member) -> bool:
        if member.status != "waiting" or member.kept:
            return False
        member.kept = member.keeps_long = True
        return True

    # Workers

    def claim(self, worker: str) -> tuple[Member | None, int]:
        """The first who is present, and how many absent ones were passed."""
        if worker in self.claims:
            return self.claims[worker].member, 0
        self._empty_inbox()
        passed = 0
        for member in self.line():
            if member.present:
                self._put(member, "claimed")
                self.claims[worker] = Claim(member)
                return member, passed
            self._hold(member, "lost")
            passed += 1
        return None, passed

    def end_claim(self, worker: str, member: Member) -> None:
        if claim := self.claims.pop(worker, None):
            self._put(claim.member, "")
        self._leave_place(member)

    def release(self, worker: str, member: Member, *, by_row: bool) -> str:
        """Back to the place; `by_row` when the row is asked for what Redis may have forgotten."""
        if by_row:
            self._recall(member)
        if worker:
            if worker not in self.claims or self.claims[worker].member is not member:
                return ""
            del self.claims[worker]
            self._put(member, "")
        if member.place:
            return ""
        if member.present:
            self._put(member, "line")
        else:
            self._put(member, "held")
            seconds, cause = (member.note.seconds, member.note.cause) if member.note else (LOST_GRACE, "lost")
            member.absence = Absence(cause, max(seconds, KEEP_GRACE if member.keeps_long else 0))
        return member.place

    def wants_start(self, member: Member) -> bool:
        return member.status == "waiting" and (member.present or not member.attended)

    def start(self, member: Member, worker: str) -> None:
        member.status, member.reason, member.worker, member.lease_over = "running", "", worker, False
        member.attempt += 1

    def give_back(self, member: Member) -> None:
        member.status, member.attempt = "waiting", member.attempt - 1

    def is_mine(self, member: Member, attempt: int) -> bool:
        return member.status == "running" and member.attempt == attempt

    def finish(self, member: Member, attempt: int, status: str) -> bool:
        """Whether the result counts: the attempt may have been given up for dead, or stopped."""
        moved = self.is_mine(member, attempt)
        if moved:
            member.status, member.reason = status, "" if status == "succeeded" else "error"
        if member.attempt == attempt and member.status in FINAL:
            self.forget(member)
        return moved

    def orphan(self, member: Member) -> None:
        member.reason = "orphaned"
        if member.attempt >= MAX_ATTEMPTS:
            member.status = "failed"
            self.forget(member)
        else:
            member.status = "waiting"
            if not self.release(member.worker, member, by_row=True):
                self.release("", member, by_row=True)

    # Keeper

    def round(self) -> Counter[str]:
        """The number of members that each step moves."""
        counts: Counter[str] = Counter()
        if self.flush == "unseen":
            self.flush = "pause"
        counts["held"] = self._hold_absent()
        counts["dropped"] = self._drop()
        counts["claims returned"] = self.recover_claims()
        if self.flush != "pause":
            counts["restored"] = self._restore()
            self._remove_ghosts()
        counts["orphaned"] = self.recover_orphans()
        counts["purged"] = self.purge_rows()
        return counts

    def _hold_absent(self) -> int:
        absent = [member for member in self.line() if not member.present]
        for member in absent:
            self._hold(member, "lost")
        return len(absent)

    def _drop(self) -> int:
        """The number of rows that were waiting until now. While nobody beats, nobody is dropped."""
        if self.watch != "old":
            return 0
        overdue = [member for member in self.held() if member.absence and member.absence.is_over]
        dropped = 0
        for member in overdue:
            if member.present:
                self._put(member, "line")
                continue
            if member.status == "waiting" and member.absence:
                member.status, member.reason = "abandoned", member.absence.cause
                dropped += 1
            self._put(member, "")
            member.keeps_long = False
        return dropped

    def recover_claims(self) -> int:
        returned = 0
        for worker, claim in list(self.claims.items()):
            member = claim.member
            if not claim.is_old:
                continue
            if not member.has_row or member.status == "waiting":
                returned += bool(self.release(worker, member, by_row=member.has_row))
            else:
                self.end_claim(worker, member)
        return returned

    def _restore(self) -> int:
        lost = [m for m in self.members if m.status == "waiting" and not m.newborn and not m.place]
        for member in lost:
            self._recall(member)
        return len(self.restore(lost))

    def restore(self, members: list[Member]) -> list[Member]:
        """Those that had no place."""
        lost = [member for member in members if not member.place]
        for member in lost:
            self._put(member, "line")
        return lost

    def _remove_ghosts(self) -> None:
        for member in [*self.line(), *self.held()]:
            if member.status not in {"waiting", "foreign"}:
                self._put(member, "")

    def recover_orphans(self) -> int:
        orphans = [member for member in self.members if member.status == "running" and member.lease_over]
        for member in orphans:
            self.orphan(member)
        return len(orphans)

    def purge_rows(self) -> int:
        stale = [member for member in self.members if member.status in FINAL and member.stale]
        for member in stale:
            member.status = "deleted"
        return len(stale)

    def purge_keys(self) -> None:
        for member in self.members:
            if not member.is_live and not member.foreign:
                member.present, member.note = False, None

    # Redis itself

    def flush_redis(self) -> None:
        for member in self.members:
            self._put(member, "")
            member.present, member.keeps_long, member.note = False, False, None
        self.inbox.clear()
        self.claims.clear()
        self.watch, self.flush = "", "unseen"

    def forget(self, member: Member) -> None:
        """The entry has ended."""
        self._leave_place(member)
        member.present, member.keeps_long, member.note = False, False, None

    def _leave_place(self, member: Member) -> None:
        if member.place != "claimed":
            self._put(member, "")

    def lose_place(self, member: Member) -> None:
        self._leave_place(member)

    # Details

    def _put(self, member: Member, place: str) -> None:
        member.place, member.absence = place, None

    def _hold(self, member: Member, cause: str) -> None:
        self._put(member, "held")
        member.absence = Absence(cause, self._span(member, cause))

    def _span(self, member: Member, cause: str) -> int:
        return max(GRACE[cause], KEEP_GRACE if member.keeps_long else 0)

    def _recall(self, member: Member) -> None:
        member.keeps_long = member.keeps_long or member.kept
        member.present = member.present or not member.attended

    def _empty_inbox(self) -> None:
        """Jobs of somebody else's go to the end of the line; an entry's place comes from its row alone."""
        line = self.line()
        group, number = line[-1].rank[:2] if line else (0, 0)
        for member in self.inbox:
            if member.foreign and not member.place:
                number += 1
                member.rank = (group, number, member.id)
                member.place, member.present = "line", True
        self.inbox.clear()
