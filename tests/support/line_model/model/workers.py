"""Workers, and the stock RQ whose pushes they find."""

from tests.support.line_model.model.members import KEEP_GRACE, LOST_GRACE, MAX_ATTEMPTS, Away, Claim, Member
from tests.support.line_model.model.places import Places


class Workers(Places):
    """Claim, start, finish, release."""

    def push(self, member: Member) -> None:
        """Stock RQ knows no line: the job waits in the inbox for the next claim."""
        self.inbox.append(member)

    def claim(self, worker: str) -> tuple[Member | None, int]:
        """The first present member, and how many absent ones were passed. After a flush, only foreign jobs.

        In a pause nothing is claimed, and a claim whose reply was lost is not given again.
        """
        if self.is_paused:
            return None, 0
        if worker in self.claims:
            return self.claims[worker].member, 0
        self._empty_inbox()
        passed = 0
        for member in self.line():
            if self.flush and not member.is_foreign:
                continue
            if member.is_present:
                if self._must_wait(member):
                    earlier = [each for each in self.line() if each.is_present and not self._is_newcomer(each)]
                    return (self._hand_out(earlier[0], worker) if earlier else None), passed
                return self._hand_out(member, worker), passed
            self.hold(member, "lost")
            passed += 1
        return None, passed

    def _hand_out(self, member: Member, worker: str) -> Member:
        self.put(member, "claimed")
        self.claims[worker] = Claim(member)
        return member

    def _must_wait(self, member: Member) -> bool:
        """A newcomer after a flush, while somebody ahead is away."""
        return self._is_newcomer(member) and any(held.rank < member.rank for held in self.held())

    def _is_newcomer(self, member: Member) -> bool:
        return self.newest is not None and not member.is_foreign and member.number > self.newest

    def end_claim(self, worker: str, member: Member) -> None:
        if claim := self.claims.pop(worker, None):
            self.put(claim.member, "")
        self.remove_place(member)

    def release(self, worker: str, member: Member, *, by_row: bool) -> str:
        """Back to the place. With `by_row`, the terms of the row come first: Redis may have lost them."""
        if by_row:
            self.set_terms(member)
        if worker:
            if worker not in self.claims or self.claims[worker].member is not member:
                return ""
            del self.claims[worker]
            self.put(member, "")
        if member.place:
            return ""
        if member.is_present:
            self.put(member, "line")
        else:
            self.put(member, "held")
            seconds, why = (member.note.seconds, member.note.why) if member.note else (LOST_GRACE, "lost")
            member.absence = Away(why, max(seconds, KEEP_GRACE if member.keeps_long else 0))
        return member.place

    def may_start(self, member: Member) -> bool:
        return member.is_waiting and (member.is_present or not member.needs_presence)

    def start(self, member: Member, worker: str) -> None:
        member.status, member.reason, member.worker, member.lease_is_over = "running", "", worker, False
        member.attempt += 1

    def undo_start(self, member: Member) -> None:
        member.status, member.attempt = "waiting", member.attempt - 1

    def is_current(self, member: Member, attempt: int) -> bool:
        """False: the attempt was given up for dead, or the entry was stopped."""
        return member.is_running and member.attempt == attempt

    def finish(self, member: Member, attempt: int, status: str) -> bool:
        """True if the result counts."""
        moved = self.is_current(member, attempt)
        if moved:
            member.status, member.reason = status, "" if status == "succeeded" else "error"
        if member.attempt == attempt and member.is_final:
            self.clear(member)
        return moved

    def settle_orphan(self, member: Member) -> None:
        member.reason = "orphaned"
        if member.attempt >= MAX_ATTEMPTS:
            member.status = "failed"
            self.clear(member)
        else:
            member.status = "waiting"
            if not self.release(member.worker, member, by_row=True):
                self.release("", member, by_row=True)

    def _empty_inbox(self) -> None:
        """Foreign jobs go to the end of the line. The job of an entry stays out: its place comes from the row alone."""
        line = self.line()
        group, number = line[-1].rank[:2] if line else (0, 0)
        for member in self.inbox:
            if member.is_foreign and not member.place:
                number += 1
                member.rank = (group, number, member.id)
                member.place, member.is_present = "line", True
        self.inbox.clear()
