"""Faults of Redis, and pushes of stock RQ."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from rq.queue import Queue
from rq.serializers import JSONSerializer

from queueing.line import clients
from tests.support.line_model.machine import seen
from tests.support.line_model.machine.pages import Pages, has_open_page
from tests.support.line_model.machine.rounds import Rounds
from tests.support.line_model.model.members import Member

# A flush ends most consequences of the events before it, so an example has few of them.
MOST_FLUSHES = 1
MOST_PUSHED = 3


def has_place(member: Member) -> bool:
    return member.is_waiting and member.place in {"unseen", "line", "held"}


class Faults(Pages, Rounds):
    def __init__(self) -> None:
        super().__init__()
        self.flushes = 0

    # Redis

    @precondition(lambda self: bool(self.those(has_place)))
    @rule(data=st.data())
    def place_is_lost(self, data: st.DataObject) -> None:
        member = self.pick(data, has_place)
        self.line.remove_place(member.id)
        self.model.remove_place(member)

    def may_flush(self) -> bool:
        return self.flushes < MOST_FLUSHES and bool(self.model.line())

    @precondition(lambda self: self.may_flush())
    @rule(pages_beat=st.booleans())
    def flush(self, pages_beat: bool) -> None:
        """Redis loses everything; open pages beat within a second."""
        open_pages = self.those(has_open_page)
        self.flushes += 1
        clients.connection().flushall()
        self.model.flush_redis()
        if open_pages and pages_beat:
            self.beat_for(open_pages[::-1])

    @precondition(lambda self: self.may_flush())
    @rule(pages_beat=st.booleans())
    def flush_and_one_round(self, pages_beat: bool) -> None:
        self.flush(pages_beat=pages_beat)
        self.keeper_round(restarts=False)
        self.pause_ends()
        self.keeper_round(restarts=False)
        seen.line_equals_the_rows(self.see(), self.model.members)

    # Stock RQ

    def may_push(self) -> bool:
        return len(self.model.inbox) < MOST_PUSHED

    @precondition(lambda self: self.may_push())
    @rule()
    def foreign_push(self) -> None:
        name = f"foreign{self.new_number():04}"
        self._stock().enqueue("tests.support.foreign.note", "x", job_id=name)
        member = Member(name, name, is_foreign=True, status="foreign")
        self.model.members.append(member)
        self.model.push(member)

    @precondition(lambda self: self.may_push() and self.those(lambda member: member.has_row))
    @rule(data=st.data())
    def requeue(self, data: st.DataObject) -> None:
        """Staff press "requeue" in RQ's dashboard; the entry may be anywhere by then."""
        member = self.pick(data, lambda member: member.has_row)
        self._stock().push_job_id(member.id)
        self.model.push(member)

    def _stock(self) -> Queue:
        return Queue("probe", connection=self.line.client, serializer=JSONSerializer)
