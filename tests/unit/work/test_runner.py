"""The start of an entry in a horse."""

from collections.abc import Callable

import pytest

from queueing.line import presence
from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Absence, Status
from queueing.work import runner
from tests.support import probe
from tests.support.entries import status_of

Join = Callable[..., Entry]


def test_an_entry_whose_visitor_left_between_claim_and_start_is_never_run(
    join: Join, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last look is in the horse; this visitor leaves after the claim."""
    entry = join("late")
    line.claim("someone")
    presence.close("probe", entry.job_id, Absence.CLOSED)
    monkeypatch.setenv("RQ_WORKER_ID", "someone")
    runner.run_entry(entry.job_id)
    assert probe.calls() == []
    assert status_of(entry) == Status.WAITING
    assert entry.attempt == 0
    assert line.held_ids() == [entry.job_id]
