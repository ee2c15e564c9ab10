"""The facts from which the expected wait is estimated."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rq.worker.base import WorkerStatus

from queueing.facts import Run, busy_seconds, collect_facts
from queueing.line import clients
from queueing.models import Entry
from queueing.states import Reason
from queueing.work.worker import PresenceWorker

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def run(started: float, finished: float, *, joined: float = 0, worker: str = "one") -> Run:
    return Run([worker], *(NOON + timedelta(seconds=seconds) for seconds in (joined, started, finished)))


def test_busy_seconds_are_the_turnarounds_of_a_busy_worker() -> None:
    assert busy_seconds([run(1, 4), run(5, 7), run(8, 12)]) == (4, 3, 5)


def test_a_worker_without_work_is_not_busy() -> None:
    assert busy_seconds([run(1, 4), run(50, 52, joined=50)]) == (3, 2)


def test_the_turnaround_is_that_of_one_worker() -> None:
    assert busy_seconds([run(1, 4), run(2, 9, worker="two"), run(5, 6)]) == (4, 2, 8)


def test_a_visitor_who_was_away_when_it_was_their_turn_makes_no_turnaround() -> None:
    runs = [run(0, 1), run(2, 3), run(4, 5), run(900, 901)]
    assert busy_seconds(runs) == (2, 2, 2, 2)


def test_without_runs_nobody_is_busy() -> None:
    assert busy_seconds([]) == ()


@pytest.mark.django_db
def test_the_facts_of_a_line(join: Callable[..., Entry]) -> None:
    for _ in range(3):
        entry = join()
        assert entry.start("worker")
        assert entry.succeed({})
    join().abandon(Reason.CLOSED)
    Entry.objects.update(joined_at=NOON)  # they waited for a while
    facts = collect_facts("probe")
    assert len(facts.run_seconds) == 3
    assert facts.leave_rate > 0
    assert facts.running == 0


def test_a_worker_that_is_busy_with_another_line_is_not_free(join: Callable[..., Entry]) -> None:
    worker = PresenceWorker(["tables", "probe"], name="shared", connection=clients.connection())
    worker.register_birth()
    for state, busy in ((WorkerStatus.IDLE, 0), (WorkerStatus.BUSY, 1)):
        worker.set_state(state)
        facts = collect_facts("probe")
        assert (facts.workers, facts.running, facts.busy) == (1, 0, busy)
        known = replace(facts, run_seconds=(60.0,) * 10)
        assert (known.wait(0) == (0, 2)) == (busy == 0)
