"""The log of a real worker: one line for each move, with the reason, and nothing that is not so."""

import re
from typing import Any

import pytest
import redis

from queueing import ending, joining
from queueing.line import presence
from queueing.line.keys import WATCH
from queueing.models import Entry
from queueing.states import Absence, Status
from tests.support.entries import status_of
from tests.support.probe import entered, probe
from tests.support.processes import Processes
from tests.support.waiting import wait_for

SEGV = "The horse died of SIGSEGV."
LOUD = re.compile(r" (WARNING|ERROR|CRITICAL) (?P<line>.*)")


def ended(entry: Entry) -> bool:
    return status_of(entry) not in {Status.WAITING, Status.RUNNING}


def enqueued(label: str, backend: str = "default", **options: Any) -> Entry:
    return Entry.objects.get(code=probe.using(backend=backend).enqueue(label=label, **options).id)


def long_watched(valkey: redis.Redis) -> None:
    """Web processes have been beating for an hour."""
    seconds, _ = valkey.time()
    valkey.set(WATCH, (seconds - 3600) * 1000)


@pytest.mark.slow
def test_each_end_is_told_once_and_job_ok_never(processes: Processes, valkey: redis.Redis) -> None:
    processes.environment |= {"QUEUEING_DEAF_GRACE": "1"}
    worker = processes.worker()
    failed, unusable = enqueued("failed", end="error"), enqueued("unusable", end="unusable")
    crashed, fine = enqueued("crashed", end="SIGSEGV"), enqueued("fine")
    wait_for(lambda: all(ended(entry) for entry in (failed, unusable, crashed, fine)))
    stopped = enqueued("stopped", seconds=30, deaf=True)
    wait_for(lambda: entered("stopped"))
    ending.leave(stopped)
    gone = enqueued("gone", backend="attended", seconds=30, deaf=True)
    long_watched(valkey)
    joining.look(gone, 20)
    wait_for(lambda: entered("gone"))
    presence.close("probe", gone.job_id, Absence.CLOSED)
    wait_for(lambda: ended(gone))
    worker.terminate()
    worker.wait(20)
    log = processes.logs()
    assert "Job OK" not in log
    assert "Successfully completed" not in log
    loud = [match["line"] for match in LOUD.finditer(log)]
    assert loud == [f"queueing entry {failed.code} failed", f"queueing entry {crashed.code} is ended: {SEGV}"]
    assert log.count("RuntimeError: secret detail") == 1
    for entry, end in (
        (failed, "failed error"),
        (unusable, "failed unusable"),
        (crashed, "failed crashed"),
        (fine, "succeeded"),
        (gone, "abandoned closed"),
    ):
        assert len(re.findall(f"INFO queueing entry {entry.code} .* running -> {end}", log)) == 1
    assert f"ends the horse of entry {stopped.job_id}: it is cancelled (The visitor left the line" in log
    assert f"ends the horse of entry {gone.job_id}: the visitor has gone (closed), and its task has called no" in log
    assert "Traceback" not in log.replace("Traceback", "", 1)
