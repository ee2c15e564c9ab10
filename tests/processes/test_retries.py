"""A task that is tried again, in real workers with a real keeper."""

import pytest

from queueing.models import Entry
from queueing.states import Status
from tests.support.entries import status_of
from tests.support.probe import probe
from tests.support.processes import Processes
from tests.support.waiting import wait_for

QUICKLY = {"PROBE_ATTEMPTS": "2", "PROBE_RETRY_AFTER": "0.2"}


@pytest.mark.parametrize(
    "isolated",
    [pytest.param({}, id="horse"), pytest.param({"PROBE_ISOLATED": "1"}, id="isolated", marks=pytest.mark.slow)],
)
def test_a_task_succeeds_in_its_second_try(processes: Processes, isolated: dict[str, str]) -> None:
    processes.environment |= QUICKLY
    processes.worker(**isolated)
    processes.keeper()
    result = probe.enqueue(label="x", end="error at first")
    entry = Entry.objects.get()
    wait_for(lambda: status_of(entry) in {Status.SUCCEEDED, Status.FAILED})
    assert (entry.status, entry.attempt, entry.retries) == (Status.SUCCEEDED, 2, 1), processes.logs()
    assert entry.lost_time is not None
    result.refresh()
    assert result.return_value == {"label": "x", "attempt": 2}
    assert "is tried again in 0.2 s" in processes.logs()
