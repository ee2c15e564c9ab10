"""The places of the line: in the line, held, claimed, or nowhere."""

from dataclasses import dataclass, field

from tests.support.line_model.model.members import GRACE, KEEP_GRACE, Away, Claim, Member


@dataclass
class Places:
    """All state of the model, and the moves between places that several actors share."""

    members: list[Member] = field(default_factory=list)  # in the order of joining
    inbox: list[Member] = field(default_factory=list)
    claims: dict[str, Claim] = field(default_factory=dict)  # by worker
    watch: str = ""  # no web process beats; or they beat for a "young" or an "old" time
    missing: set[str] | None = None  # ids without a place at the keeper's last comparison; None: it has made none
    newest: int | None = None  # the last number that a flush took; later members wait for those ahead of them
    is_paused: bool = False  # by staff: nothing is claimed
    flush: str = ""  # none lately; or one "unseen" by the keeper; or the "pause" after it, or the pause is "over"

    def line(self) -> list[Member]:
        return self._at("line")

    def held(self) -> list[Member]:
        return self._at("held")

    def unseen(self) -> list[Member]:
        return self._at("unseen")

    def absent(self) -> list[Member]:
        """The members that have a deadline."""
        return [*self.held(), *self.unseen()]

    def _at(self, place: str) -> list[Member]:
        return sorted((member for member in self.members if member.place == place), key=lambda member: member.rank)

    def put(self, member: Member, place: str) -> None:
        member.place, member.absence = place, None

    def hold(self, member: Member, why: str) -> None:
        self.put(member, "held")
        member.absence = self.away(member, why)

    def away(self, member: Member, why: str) -> Away:
        return Away(why, max(GRACE[why], KEEP_GRACE if member.keeps_long else 0))

    def restore(self, members: list[Member]) -> list[Member]:
        """Members without a place have it again; returns them. Those that nobody has looked at are unseen."""
        lost = [member for member in members if not member.place]
        for member in lost:
            self.give_place(member)
        return lost

    def give_place(self, member: Member) -> None:
        if member.is_seen or not member.needs_presence or member.is_present:
            self.put(member, "line")
        else:
            self.put(member, "unseen")
            # A place that staff made again is kept for its visitor, who has not been there yet.
            member.absence = Away("unseen", max(GRACE["unseen"], KEEP_GRACE if member.is_kept else 0))

    def set_terms(self, member: Member) -> None:
        """Redis learns from the row about a longer hold, or that nobody has to be there."""
        member.keeps_long = member.keeps_long or member.is_kept
        member.is_present = member.is_present or not member.needs_presence

    def remove_place(self, member: Member) -> None:
        """The place goes; a claim stays."""
        if member.place != "claimed":
            self.put(member, "")

    def clear(self, member: Member) -> None:
        """The entry has ended: place, presence and terms go."""
        self.remove_place(member)
        member.is_present, member.keeps_long, member.note = False, False, None
