"""All rules together, and a rule that plays many usual steps."""

from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from queueing.states import Absence
from tests.support.line_model.machine.faults import Faults
from tests.support.line_model.machine.pages import PRIORITIES
from tests.support.line_model.machine.staff import Staff
from tests.support.line_model.machine.stage import Step
from tests.support.line_model.machine.workers import Workers


class LineMachine(Workers, Faults, Staff):
    @initialize(data=st.data(), priorities=st.lists(PRIORITIES, min_size=3, max_size=10), is_late=st.booleans())
    def begin(self, data: st.DataObject, priorities: list[int], is_late: bool) -> None:
        self.watch("old")
        for priority in priorities[1:]:
            self.join(priority=priority, needs_presence=True, looks=True, is_late=False)
        self.join(priority=priorities[0], needs_presence=False, looks=False, is_late=is_late)
        self.life_goes_on(data)

    @rule(data=st.data())
    def life_goes_on(self, data: st.DataObject) -> None:
        """Many usual steps: rare orders of events begin with them.

        Hypothesis leaves out about half of the rules in each example; here every step can come.
        """
        for _ in range(data.draw(st.integers(0, 30))):
            actor = data.draw(st.sampled_from(["worker", "worker", "worker", "visitor", "keeper"]))
            if actor == "worker":
                steps = self.worker_steps(data.draw(st.sampled_from(self.workers)))
            elif actor == "visitor":
                steps = self.visitor_steps(data)
            else:
                steps = self.keeper_steps(data)
            data.draw(st.sampled_from(steps))()
            self.both_are_the_same()

    def visitor_steps(self, data: st.DataObject) -> list[Step]:
        visitors = self.visitors()
        if not any(member.is_live for member in visitors):
            return [partial(self.join_with_a_file, keeps=False)]
        if not any(member.is_present for member in self.model.line()):
            return [partial(self.beat_for, visitors)]
        member = data.draw(st.sampled_from(visitors))
        return [partial(self.lose_pages, [member]), partial(self.close_page, member, Absence.CLOSED)]

    def keeper_steps(self, data: st.DataObject) -> list[Step]:
        if self.model.flush == "pause":
            return [self.pause_ends]
        steps: list[Step] = [partial(self.keeper_round, restarts=False), self.much_time_passes]
        if self.those(lambda member: member.is_waiting):
            steps += [partial(self.release_late, data)]
        if self.may_show_up():
            steps += [partial(self.show_up_in_the_last_moment, data, in_time=False)]
        return steps
