"""Time passes."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.support.line_model.machine.moments import age_claim, age_result, end_lease, pass_deadline, set_watch
from tests.support.line_model.machine.stage import Stage
from tests.support.line_model.model.members import Member


def may_get_stale(member: Member) -> bool:
    return member.is_final and not member.is_stale


class Clock(Stage):
    @precondition(lambda self: self.model.watch == "old")
    @rule(age=st.sampled_from(["young", ""]))
    def watch_goes(self, age: str) -> None:
        self.watch(age)

    @precondition(lambda self: self.model.watch != "old")
    @rule()
    def watch_grows_old(self) -> None:
        self.watch("old")

    def watch(self, age: str) -> None:
        set_watch(age)
        self.model.watch = age

    @precondition(lambda self: bool(self.model.absent()))
    @rule(data=st.data())
    def deadlines_pass(self, data: st.DataObject) -> None:
        self.end_absences(data.draw(st.lists(st.sampled_from(self.model.absent()), unique=True, min_size=1)))

    def end_absences(self, members: list[Member]) -> None:
        for member in members:
            assert member.absence is not None
            member.absence.is_over = True
            pass_deadline(member)

    @precondition(lambda self: bool(self.model.claims))
    @rule(data=st.data())
    def claim_gets_old(self, data: st.DataObject) -> None:
        self.age_claims([data.draw(st.sampled_from(sorted(self.model.claims)))])

    def age_claims(self, workers: list[str]) -> None:
        for worker in workers:
            self.model.claims[worker].is_old = True
            age_claim(worker)

    @precondition(lambda self: bool(self.those(lambda member: member.is_running)))
    @rule(data=st.data())
    def lease_ends(self, data: st.DataObject) -> None:
        self.end_leases([self.pick(data, lambda member: member.is_running)])

    def end_leases(self, members: list[Member]) -> None:
        for member in members:
            member.lease_is_over = True
            end_lease(member)

    @precondition(lambda self: self.model.absent() or self.model.claims or self.those(lambda member: member.is_running))
    @rule()
    def much_time_passes(self) -> None:
        """For everybody; present visitors were present all the time."""
        self.end_absences(self.model.absent())
        self.age_claims(list(self.model.claims))
        self.end_leases(self.those(lambda member: member.is_running))

    @precondition(lambda self: bool(self.those(may_get_stale)))
    @rule(data=st.data())
    def result_gets_old(self, data: st.DataObject) -> None:
        member = self.pick(data, may_get_stale)
        member.is_stale = True
        age_result(member)
