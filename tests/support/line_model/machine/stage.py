"""The stage of all rules: the real line, the model, the workers, and the comparison after each rule."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from queueing.keeper.round import Keeper
from queueing.line import clients
from queueing.line.places import get_line
from queueing.line.queue import get_queue
from queueing.models import Entry
from tests.support.epochs import begin_epochs
from tests.support.levers import set_levers
from tests.support.line_model.machine import seen
from tests.support.line_model.machine.seen import Seen
from tests.support.line_model.model import LineModel
from tests.support.line_model.model.members import Member

WORKERS, MOST_LIVE = 2, 16
# Seconds by which a deadline may differ from the model's, which has no clock.
SLACK = 10_000

Step = Callable[[], object]


@dataclass(eq=False, slots=True)
class Worker:
    """A worker between its claims."""

    name: str
    hand: Member | None = None  # the member that it was told to run
    entry: Entry | None = None  # the row, as its running attempt read it

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """The name alone, in Hypothesis' report of a failure."""
        printer.text(self.name)

    @property
    def is_idle(self) -> bool:
        return self.hand is None

    @property
    def is_told(self) -> bool:
        return self.hand is not None and self.entry is None

    @property
    def is_running(self) -> bool:
        return self.entry is not None


class Stage(RuleBasedStateMachine):
    """Both sides, and who can be chosen."""

    def __init__(self) -> None:
        super().__init__()
        clients.connection().flushall()
        Entry.objects.all().delete()
        shutil.rmtree(Path(settings.MEDIA_ROOT) / "entries", ignore_errors=True)
        self.line = get_line("probe")
        self.model = LineModel()
        self.made = 0
        self.since_round = 0
        self.workers = [self.new_worker() for _ in range(WORKERS)]
        self.keeper = self.new_keeper()
        set_levers(state="open")
        begin_epochs(clients.connection())

    def new_number(self) -> int:
        self.made += 1
        return self.made

    def new_worker(self) -> Worker:
        return Worker(f"worker{self.new_number()}")

    def new_keeper(self) -> Keeper:
        made = Keeper()
        made._no_leases_before = 0
        return made

    def replace(self, worker: Worker) -> None:
        """The worker is dead; another one takes its place."""
        self.workers[self.workers.index(worker)] = self.new_worker()

    # The choice: in the order of joining, so that an example means the same when it runs again

    def those(self, is_wanted: Callable[[Member], bool]) -> list[Member]:
        return [member for member in self.model.members if is_wanted(member)]

    def visitors(self) -> list[Member]:
        return self.those(lambda member: member.has_visitor)

    def pick(self, data: st.DataObject, is_wanted: Callable[[Member], bool]) -> Member:
        return data.draw(st.sampled_from(self.those(is_wanted)))

    def pick_some(self, data: st.DataObject, members: list[Member]) -> list[Member]:
        return data.draw(st.lists(st.sampled_from(members), unique=True, min_size=1, max_size=6))

    def pick_worker(self, data: st.DataObject, is_wanted: Callable[[Worker], bool]) -> Worker:
        return data.draw(st.sampled_from([worker for worker in self.workers if is_wanted(worker)]))

    def has_room(self) -> bool:
        return len(self.those(lambda member: member.is_live)) < MOST_LIVE

    def has_visitors(self) -> bool:
        return bool(self.visitors())

    def has_claim(self, worker: Worker) -> bool:
        return worker.name in self.model.claims and not worker.is_running

    # The comparison

    def see(self) -> Seen:
        return seen.see(self.model.members)

    @invariant()
    def both_are_the_same(self) -> None:
        self.since_round += 1
        real, model = self.see(), self.model
        seen.everybody_is_in_one_place(real)
        seen.order_is_join_order(real)
        assert self._names(real.line) == [member.name for member in model.line()]
        assert self._names(real.held) == [member.name for member in model.held()]
        assert get_queue("probe").count == len(model.line()) + len(model.inbox)
        assert self._names(real.unseen) == [member.name for member in model.unseen()]
        assert real.claims == {worker: claim.member.id for worker, claim in model.claims.items()}
        assert real.present == {member.id for member in model.members if member.is_present}
        assert real.noted == {member.id for member in model.members if member.note}
        assert {job_id: (row.status, row.attempt, row.reason) for job_id, row in real.rows.items()} == {
            member.id: (member.status, member.attempt, member.reason) for member in model.members if member.has_row
        }
        assert real.deadlines.keys() == {*real.held, *real.unseen}
        for member in model.absent():
            assert member.absence is not None
            seconds = real.deadlines[member.id]
            assert seconds < 0 if member.absence.is_over else abs(seconds - member.absence.seconds) < SLACK

    def _names(self, job_ids: Iterable[str]) -> list[str]:
        known = {member.id: member.name for member in self.model.members}
        return [known.get(job_id, job_id) for job_id in job_ids]
