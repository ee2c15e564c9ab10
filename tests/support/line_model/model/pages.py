"""Visitors and their pages."""

from tests.support.line_model.model.members import KEEP_GRACE, LOST_GRACE, Away, Member
from tests.support.line_model.model.places import Places


class Pages(Places):
    """Join, beat, close, look, leave, keep."""

    def join(self, member: Member) -> None:
        self.members.append(member)
        member.rank = (-member.priority, member.number, member.id)
        member.is_present = not member.needs_presence
        self.give_place(member)

    def beat(self, members: list[Member]) -> list[Member]:
        """Beat for these open pages; returns the members that were held and are back."""
        back = [member for member in members if member.place == "held"]
        for member in members:
            member.is_present, member.note, member.is_seen = True, None, True
            if member.place in {"held", "unseen"}:
                self.put(member, "line")
        return back

    def close(self, member: Member, why: str) -> None:
        member.is_present = False
        if member.place == "line":
            self.hold(member, why)
        elif member.place not in {"held", "unseen"}:
            member.note = self.away(member, why)

    def look(self, member: Member) -> Away | None:
        """The absence that has begun. One that nobody has noted begins now, unless nobody can know."""
        if member.is_present:
            return None
        begun = member.note
        if begun is None and self.watch == "old":
            member.note = Away("lost", KEEP_GRACE if member.is_kept else LOST_GRACE)
        return begun

    def leave(self, member: Member) -> None:
        if member.is_live:
            member.status, member.reason = "cancelled", "left"
        if member.attempt == 0 and member in self.inbox:
            self.inbox.remove(member)
        self.clear(member)

    def keep(self, member: Member) -> bool:
        """The visitor asks for a longer hold. False: the row does not wait, or was asked before."""
        if not member.is_waiting or member.is_kept:
            return False
        member.is_kept = member.keeps_long = True
        return True
