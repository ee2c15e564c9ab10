"""The keeper's rounds, a second keeper that comes late, and purge_stale."""

import math
import time
from datetime import timedelta

from django.conf import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from queueing import ending
from queueing.keeper import purge, reconcile
from queueing.line import clients, keys
from queueing.line.scripts import Ranked
from tests.support.line_model.machine import seen
from tests.support.line_model.machine.clock import Clock
from tests.support.line_model.machine.moments import CLOCKS, rows_of
from tests.support.line_model.machine.pages import is_away
from tests.support.line_model.model.members import Member

# Ids that a script looks at in one call: so few that a short line has several windows.
SMALL_WINDOW = 4
# Other rules between two rounds: a round needs no member, and would come too often.
STEPS_TO_ROUND = 2


def is_held_and_present(member: Member) -> bool:
    return member.place in {"held", "unseen"} and member.is_present


class Rounds(Clock):
    @precondition(lambda self: self.since_round > STEPS_TO_ROUND)
    @rule(restarts=st.sampled_from([False, False, True]))
    def keeper_round(self, restarts: bool) -> None:
        """One round. A new keeper begins the pause after a flush anew."""
        if restarts:
            self.keeper, self.model.missing = self.new_keeper(), None
            self.model.flush = "unseen" if self.model.flush else ""
        self.since_round = 0
        self._every_step_is_due()
        before = self.see()
        counts, expected = self.keeper.round(), self.model.round()
        if self.model.flush == "pause":
            self.keeper.reconciler._restoring_since["probe"] = time.monotonic() + 3600  # until `pause_ends`
        clients.connection().persist(self.line.keys.newest)  # until `newcomers_go_on`
        after = self.see()
        seen.nobody_present_is_dropped(before, after)
        if not self.model.flush:
            seen.every_waiting_row_has_a_place(after, missed_once=self.model.missing or set())
        del counts["notes written"], counts["counted"]
        assert {name: count for name, count in counts.items() if count} == dict(+expected)

    def _every_step_is_due(self) -> None:
        keeper = self.keeper
        keeper.reconciler._compared_at = dict.fromkeys(settings.QUEUEING_TASKS, -math.inf)
        keeper._purged_at = -math.inf
        keeper._round_at = time.time()
        keeper._facts_at = time.monotonic()  # the facts are of no concern here

    @precondition(lambda self: self.model.flush == "pause")
    @rule()
    def pause_ends(self) -> None:
        self.model.flush = "over"
        self.keeper.reconciler._restoring_since["probe"] = time.monotonic() - reconcile.FLUSH_PAUSE

    @precondition(lambda self: self.model.newest is not None)
    @rule()
    def newcomers_go_on(self) -> None:
        self.model.newest = None
        clients.connection().delete(self.line.keys.newest)

    def may_show_up(self) -> bool:
        """A drop whose whole window is present would leave the others to the next round."""
        return bool(self.those(is_away)) and len(self.those(is_held_and_present)) < SMALL_WINDOW - 1

    @precondition(lambda self: self.may_show_up())
    @rule(data=st.data(), in_time=st.booleans())
    def show_up_in_the_last_moment(self, data: st.DataObject, in_time: bool) -> None:
        """A presence key without a return to the line: `drop` looks for it."""
        member = self.pick(data, is_away)
        clients.connection().set(keys.presence_key(member.id), 1)
        member.is_present = member.is_seen = True
        rows_of(member).get().see()
        if not in_time:
            self.end_absences([member])
            self.keeper_round(restarts=False)

    @precondition(lambda self: self.model.claims or self.model.held())
    @rule()
    def restore_late(self) -> None:
        """As a second keeper that saw no place for anybody a moment ago."""
        waiting = self.those(lambda member: member.is_waiting and (member.is_seen or not member.needs_presence))
        places = [Ranked(member.id, rows_of(member).get().score) for member in waiting]
        assert self.line.restore(places) == [member.id for member in self.model.restore(waiting)]

    @precondition(lambda self: bool(self.those(lambda member: member.is_waiting)))
    @rule(data=st.data())
    def release_late(self, data: st.DataObject) -> None:
        """As a worker that lost its claim, or (with no name) as a second keeper that saw an orphan a moment ago."""
        worker = data.draw(st.sampled_from(["", *(worker.name for worker in self.workers)]))
        self.release(worker, self.pick(data, lambda member: member.is_waiting))

    def release(self, worker: str, member: Member) -> None:
        assert ending.release(rows_of(member).get(), worker) == self.model.release(worker, member, by_row=True)

    @precondition(lambda self: bool(self.those(lambda member: member.is_stale or member.lease_is_over)))
    @rule()
    def purge(self) -> None:
        counts = purge.purge_stale(timedelta(seconds=CLOCKS["RESULT_TTL"]))
        assert counts[purge.RECOVERED] == self.model.recover_leases()
        assert sum(count for name, count in counts.items() if name.endswith(" entries")) == self.model.purge_rows()
        self.model.purge_keys()
