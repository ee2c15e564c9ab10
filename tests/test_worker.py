"""Real worker processes: claims, crashes, leases, and the traps of RQ that are mended."""

import os
import signal
from collections.abc import Callable

from queueing.line import LineQueue
from queueing.models import Entry
from queueing.states import Reason, Status
from tests import probe
from tests.conftest import Processes, go, wait_for


def status_of(entry: Entry) -> str:
    entry.refresh_from_db()
    return entry.status


def stay(processes: Processes, entry: Entry) -> None:
    """Nobody has to be there: for tests whose subject is not presence."""


def test_it_works(processes: Processes, join: Callable[..., Entry]) -> None:
    processes.worker()
    entry = join("a")
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED)
    assert entry.result == {"label": "a", "attempt": 1}
    assert probe.calls() == ["a"]
    assert entry.files.get(attempt=1).file.read() == b"a\n"
