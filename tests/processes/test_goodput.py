"""The worth of real workers' time: a horse that dies, a result that is seen, and the waste between."""

from collections.abc import Callable

import pytest

from queueing import stats
from queueing.models import Entry
from queueing.states import Status
from queueing.testing.presence import stay
from tests.support.entries import status_of
from tests.support.probe import entered, hold
from tests.support.processes import Processes, horse_of
from tests.support.waiting import wait_for

Join = Callable[..., Entry]


@pytest.mark.postgres
def test_a_lost_attempt_is_waste_and_the_next_one_is_goodput_when_it_was_seen(processes: Processes, join: Join) -> None:
    entry = join("first")
    stay(entry)
    gate = hold("first")
    worker = processes.worker()
    wait_for(lambda: entered("first"))
    horse_of(worker).kill()
    wait_for(lambda: entered("first", 2))
    gate.unlink()
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED)
    assert entry.run_time is not None
    assert entry.lost_time is not None
    assert entry.finished_at is not None
    assert entry.started_at is not None
    run, lost = entry.run_time.total_seconds(), entry.lost_time.total_seconds()
    assert 0 < run + lost <= (entry.finished_at - entry.started_at).total_seconds()
    line = stats.line_stats("probe")
    assert (line.goodput, line.not_seen_yet, line.waste) == (0, run, lost)
    assert entry.see_end()
    line = stats.line_stats("probe")
    assert (line.goodput, line.not_seen_yet, line.waste) == (run, 0, lost)
    assert line.waste_by_cause["failed"] == lost
