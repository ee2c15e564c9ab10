"""Workers: claims, starts, results, leases, and deaths at every point between them."""

from functools import partial

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from queueing import ending
from queueing.line import presence
from queueing.line.epoch import EpochWait
from queueing.states import Absence, Reason
from queueing.work import runner
from queueing.work.lease import Lease
from tests.support.line_model.machine.moments import lose_presence, rows_of
from tests.support.line_model.machine.pages import Pages
from tests.support.line_model.machine.rounds import Rounds
from tests.support.line_model.machine.stage import Step, Worker
from tests.support.line_model.model.members import Member

AFTER_CLAIM = st.sampled_from(["starts", "starts", "starts", "waits", "did not hear"])
AFTER_START = st.sampled_from(["", "", "", "claim stays", "gives back"])


class Workers(Pages, Rounds):
    # Claim

    @precondition(lambda self: any(worker.is_idle for worker in self.workers))
    @rule(data=st.data(), then=AFTER_CLAIM)
    def claim(self, data: st.DataObject, then: str) -> None:
        self.claim_by(self.pick_worker(data, lambda worker: worker.is_idle), then)

    def claim_by(self, worker: Worker, then: str) -> None:
        """A worker that did not hear the reply asks again some time later, or dies."""
        has_claim = worker.name in self.model.claims
        expected, passed = self.model.claim(worker.name)
        self.line.epoch_wait = EpochWait("probe")  # its patience is not over, however slow the machine is
        job_id, really_passed = self.line.claim(worker.name)
        if job_id and not has_claim:
            assert presence.is_present("probe", job_id), "somebody absent was claimed"
        assert (job_id, really_passed) == (expected.id if expected else None, passed)
        if then != "did not hear":
            worker.hand = expected
        if then == "starts" and expected:
            self.start_by(worker, "")

    # Start

    @precondition(lambda self: any(worker.is_told for worker in self.workers))
    @rule(data=st.data(), then=AFTER_START)
    def start(self, data: st.DataObject, then: str) -> None:
        """As the runner does, without the task itself. A claim may stay behind, or the visitor leave meanwhile."""
        self.start_by(self.pick_worker(data, lambda worker: worker.is_told), then)

    def start_by(self, worker: Worker, then: str) -> None:
        member = worker.hand
        assert member is not None
        if member.is_foreign:
            self._start_foreign(worker, member)
        elif self.model.may_start(member):
            worker.entry = rows_of(member).get()
            assert worker.entry.start(worker.name)
            self.model.start(member, worker.name)
            if then == "gives back":
                self._undo_start(worker, member)
            elif not then:
                self.line.end_claim(worker.name, member.id)
                self.model.end_claim(worker.name, member)
        else:
            self._refuse(worker, member)

    def start_late(self, worker: Worker) -> None:
        """By then the claim has gone back to its place."""
        self.take_claim(worker)
        self.start_by(worker, "")

    def _start_foreign(self, worker: Worker, member: Member) -> None:
        self.line.end_claim(worker.name, member.id)
        lose_presence(member)
        self.model.end_claim(worker.name, member)
        member.is_present, worker.hand = False, None

    def _undo_start(self, worker: Worker, member: Member) -> None:
        assert worker.entry is not None
        assert worker.entry.undo_start()
        ending.release(worker.entry, worker.name)
        self.model.undo_start(member)
        self.model.release(worker.name, member, by_row=True)
        worker.hand = worker.entry = None

    def _refuse(self, worker: Worker, member: Member) -> None:
        """No start: the row has moved on, or nobody is there. The task is not called, so this is the real runner."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RQ_WORKER_ID", worker.name)
            runner.run_entry(member.id)
        if member.is_waiting:
            self.model.release(worker.name, member, by_row=True)
        elif member.has_row:
            self.model.end_claim(worker.name, member)
        self.settle(worker)

    # Finish

    @precondition(lambda self: any(worker.is_running for worker in self.workers))
    @rule(data=st.data(), succeeds=st.booleans())
    def finish(self, data: st.DataObject, succeeds: bool) -> None:
        self.finish_by(self.pick_worker(data, lambda worker: worker.is_running), succeeds=succeeds)

    def finish_by(self, worker: Worker, *, succeeds: bool) -> None:
        """Too late, when somebody else has the entry or it was stopped."""
        member, entry = worker.hand, worker.entry
        assert member is not None
        assert entry is not None
        attempt = entry.attempt
        moved = entry.succeed({}) if succeeds else entry.fail(Reason.ERROR)
        assert moved == self.model.finish(member, attempt, "succeeded" if succeeds else "failed")
        if member.has_row:
            entry.refresh_from_db()
            if entry.attempt == attempt and not entry.is_live:
                ending.finish(entry)
        self.settle(worker)

    def settle(self, worker: Worker) -> None:
        """The horse has ended: the worker settles the row."""
        member = worker.hand
        assert member is not None
        worker.hand = worker.entry = None
        Lease(worker.name, member.id).settle(self.line)
        if not member.has_row:
            self.model.end_claim(worker.name, member)
            self.model.clear(member)
        elif member.is_running and member.worker == worker.name:
            self.model.settle_orphan(member)
        elif member.is_waiting:
            self.model.release(worker.name, member, by_row=True)

    # Life and death

    @precondition(lambda self: any(worker.is_running for worker in self.workers))
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        worker = self.pick_worker(data, lambda worker: worker.is_running)
        assert worker.hand is not None
        assert worker.entry is not None
        is_current = self.model.is_current(worker.hand, worker.entry.attempt)
        assert worker.entry.renew_lease() == is_current
        if is_current:
            worker.hand.lease_is_over = False

    @precondition(lambda self: any(worker.hand or self.has_claim(worker) for worker in self.workers))
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        """By kill -9: claim and lease stay behind."""
        self.replace(self.pick_worker(data, lambda worker: worker.hand is not None or self.has_claim(worker)))

    def horse_dies(self, worker: Worker) -> None:
        if worker.hand and not worker.hand.is_foreign:
            self.settle(worker)

    def stop(self, worker: Worker) -> None:
        """As the worker's teardown: a claim that was not started goes back without delay."""
        claim, member = self.line.claims()[worker.name], self.model.claims[worker.name].member
        place = self.line.release(worker.name, claim.job_id, claim.score)
        assert place == self.model.release(worker.name, member, by_row=False)
        self.replace(worker)

    def leave_and_stop(self, worker: Worker, member: Member) -> None:
        """The claim of an entry that has ended becomes a place without a waiting row."""
        self.leave_by(member)
        self.stop(worker)

    # The keeper is faster than the worker

    def take_claim(self, worker: Worker) -> None:
        """The worker is still about to start it."""
        self.age_claims([worker.name])
        assert self.keeper.recover_claims(self.line) == self.model.recover_claims()

    def take_lease(self, member: Member) -> None:
        """Its worker still runs the task."""
        self.end_leases([member])
        assert self.keeper.recover_leases() == self.model.recover_leases()

    def take_over(self, member: Member) -> None:
        self.take_lease(member)
        for worker in self.workers:
            if worker.is_idle:
                self.claim_by(worker, "starts")

    # Everything that can come next

    def worker_steps(self, worker: Worker) -> list[Step]:
        """The next steps of a worker, and the accidents that can happen to it."""
        member = worker.hand
        if member is None:
            steps: list[Step] = [partial(self.claim_by, worker, then) for then in ("starts", "waits", "did not hear")]
        elif worker.is_running:
            steps = self._running_steps(worker, member)
        else:
            steps = [partial(self.start_by, worker, then) for then in ("", "claim stays", "gives back")]
            steps += [partial(self.horse_dies, worker)]
            if self.has_claim(worker):
                steps += [partial(self.start_late, worker)]
        if self.has_claim(worker):
            steps += [partial(self.take_claim, worker), partial(self.stop, worker)]
        if member is not None and member.has_row:
            steps += self._visitor_of(worker, member)
        return steps

    def _running_steps(self, worker: Worker, member: Member) -> list[Step]:
        steps: list[Step] = [
            partial(self.finish_by, worker, succeeds=True),
            partial(self.horse_dies, worker),
            partial(self.replace, worker),
        ]
        if member.is_running:
            steps += [partial(self.take_lease, member), partial(self.take_over, member)]
        return steps

    def _visitor_of(self, worker: Worker, member: Member) -> list[Step]:
        steps: list[Step] = [partial(self.leave_by, member)]
        if self.has_claim(worker):
            steps += [partial(self.leave_and_stop, worker, member)]
        if member.needs_presence:
            steps += [partial(self.close_page, member, Absence.CLOSED), partial(self.lose_pages, [member])]
            steps += [partial(self.keep_place, member), partial(self.look_at, member)]
        return steps
