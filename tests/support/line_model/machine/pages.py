"""Visitors and their pages."""

import uuid

from django.core.files.base import ContentFile
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from queueing import ending, joining, registry
from queueing.line import presence
from queueing.models import Entry
from queueing.states import Absence
from tests.support import probe
from tests.support.line_model.machine.moments import CLOCKS, lose_presence, rows_of
from tests.support.line_model.machine.stage import Stage
from tests.support.line_model.model.members import Member

PRIORITIES = st.sampled_from([0, 0, 0, 5, -5])
ABSENCES = st.sampled_from([Absence.CLOSED, Absence.LOST])


def has_open_page(member: Member) -> bool:
    return member.is_present and member.has_visitor


def is_away(member: Member) -> bool:
    return member.place in {"held", "unseen"} and not member.is_present and member.has_visitor


class Pages(Stage):
    # Joining

    @precondition(lambda self: self.has_room())
    @rule(
        priority=PRIORITIES,
        needs_presence=st.sampled_from([True, True, True, False]),
        looks=st.sampled_from([True, True, True, False]),
        is_late=st.sampled_from([False, False, True]),
    )
    def join(self, priority: int, needs_presence: bool, looks: bool, is_late: bool) -> None:
        """As `joining.enqueue`, with a code that is the same in every run. A late place has not followed yet."""
        entry = Entry(
            code=uuid.UUID(int=self.new_number()),
            queue="probe",
            task_path=probe.probe.module_path,
            priority=priority,
            needs_presence=needs_presence,
        )
        entry.save(force_insert=True)
        joining.place(entry)
        member = self.joined(entry, looks=looks and needs_presence)
        if is_late:
            self.line.remove_place(member.id)
            self.model.remove_place(member)

    @precondition(lambda self: self.has_room())
    @rule(keeps=st.booleans())
    def join_with_a_file(self, keeps: bool) -> None:
        entry = joining.join(
            registry.get_task("probe"),
            code=uuid.UUID(int=self.new_number()),
            owner=joining.Owner(uuid.uuid4()),
            upload=ContentFile(b"input", name="input.csv"),
            content_type="text/csv",
            options={},
        )
        member = self.joined(entry, looks=True)
        if keeps:
            self.keep_place(member)

    def joined(self, entry: Entry, *, looks: bool) -> Member:
        member = Member(
            f"entry{self.made}",
            entry.job_id,
            entry.pk,
            entry.priority,
            needs_presence=entry.needs_presence,
        )
        self.model.join(member)
        if looks:
            joining.look(entry, CLOCKS["PRESENCE_TTL"])
            self.model.beat([member])
        return member

    # Presence

    @precondition(lambda self: self.has_visitors())
    @rule(data=st.data())
    def beat(self, data: st.DataObject) -> None:
        self.beat_for(self.pick_some(data, self.visitors()))

    @precondition(lambda self: bool(self.those(is_away)))
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        self.beat_for([self.pick(data, is_away)])

    def beat_for(self, members: list[Member]) -> None:
        for member in members:
            if not member.is_seen and member.has_row:
                rows_of(member).get().see()  # every look at a page does that before the beat
        back = self.model.beat(members)
        job_ids = [member.id for member in members]
        assert presence.beat("probe", job_ids, CLOCKS["PRESENCE_TTL"]) == [member.id for member in back]
        for member in back:
            if member.is_waiting:
                self.has_old_place(member)

    def has_old_place(self, member: Member) -> None:
        ahead = [other for other in self.model.line() if other.rank[:2] < member.rank[:2]]
        held_ahead = [other for other in self.model.held() if other.rank[:2] < member.rank[:2]]
        standing = self.line.standing(member.id, rows_of(member).get().score)
        place = None if self.model.flush else (len(ahead), len(held_ahead))
        assert standing.place == place, f"{member.name} is not in the old place"
        assert not standing.is_claimed

    @precondition(lambda self: bool(self.those(has_open_page)))
    @rule(data=st.data(), absence=ABSENCES)
    def close(self, data: st.DataObject, absence: Absence) -> None:
        self.close_page(self.pick(data, has_open_page), absence)

    @precondition(lambda self: self.has_visitors())
    @rule(data=st.data(), absence=ABSENCES)
    def close_late(self, data: st.DataObject, absence: Absence) -> None:
        """The goodbye for an entry in whatever state, present or not."""
        self.close_page(data.draw(st.sampled_from(self.visitors())), absence)

    def close_page(self, member: Member, absence: Absence) -> None:
        presence.close("probe", member.id, absence)
        self.model.close(member, absence)

    @precondition(lambda self: bool(self.those(has_open_page)))
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        """The presence keys of some pages have run out."""
        self.lose_pages(self.pick_some(data, self.those(has_open_page)))

    def lose_pages(self, members: list[Member]) -> None:
        for member in members:
            lose_presence(member)
            member.is_present = False

    @precondition(lambda self: self.has_visitors())
    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        self.look_at(data.draw(st.sampled_from(self.visitors())))

    def look_at(self, member: Member) -> None:
        is_present, is_blind, begun = member.is_present, self.model.watch != "old", self.model.look(member)
        look = presence.inspect("probe", member.id, rows_of(member).get().keep_seconds)
        assert (look.present, look.blind, look.is_over) == (is_present, is_blind, False)
        assert (look.gone_for is None) == (begun is None)
        if begun:
            assert (look.absence, look.grace) == (begun.why, begun.seconds)

    # Leaving and keeping

    @precondition(lambda self: bool(self.those(lambda member: member.has_row)))
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        self.leave_by(self.pick(data, lambda member: member.has_row))

    def leave_by(self, member: Member) -> None:
        ending.leave(rows_of(member).get())
        self.model.leave(member)

    @precondition(lambda self: self.has_visitors())
    @rule(data=st.data())
    def keep(self, data: st.DataObject) -> None:
        self.keep_place(data.draw(st.sampled_from(self.visitors())))

    def keep_place(self, member: Member) -> None:
        assert ending.keep(rows_of(member).get()) == self.model.keep(member)
