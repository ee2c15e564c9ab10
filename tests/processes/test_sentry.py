"""A failed task reaches a real receiver of Sentry's envelopes, by the example of the documents."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from queueing import joining, registry
from queueing.states import Status
from tests.support.entries import status_of
from tests.support.processes import Processes
from tests.support.telemetry import SENTRY, Sentry, sentry
from tests.support.waiting import wait_for

pytest.importorskip("sentry_sdk")


@pytest.fixture
def receiver(processes: Processes, tmp_path: Path) -> Iterator[Sentry]:
    """A Sentry to which the site of the tests reports, as the document says."""
    (tmp_path / "telemetry.py").write_text(SENTRY)
    (tmp_path / "watched_settings.py").write_text("from tests.settings import *\nimport telemetry\n")
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    with sentry() as found:
        processes.environment |= {
            "DJANGO_SETTINGS_MODULE": "watched_settings",
            "PYTHONPATH": os.pathsep.join(paths),
            "SENTRY_DSN": found.dsn,
        }
        yield found


@pytest.mark.parametrize("isolated", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_failed_task_is_an_event_with_its_entry_and_nothing_of_the_visitor(
    receiver: Sentry, processes: Processes, isolated: bool
) -> None:
    if isolated:
        processes.environment["PROBE_ISOLATED"] = "1"
    processes.worker()
    task = registry.get_task("probe").task
    options = {"end": "error", "label": "a secret of the visitor"}
    entry = joining.enqueue(task, [], options, needs_presence=False)
    fine = joining.enqueue(task, [], {"end": "unusable"}, needs_presence=False)
    wait_for(lambda: [status_of(entry), status_of(fine)] == [Status.FAILED, Status.FAILED])
    (event,) = wait_for(lambda: receiver.events)
    (error,) = event["exception"]["values"]
    if isolated:  # with the traceback of the process
        assert error["type"] == "RaisedInside"
        assert error["value"].strip().endswith("RuntimeError: secret detail")
    else:
        assert (error["type"], error["value"]) == ("RuntimeError", "secret detail")
    assert event["tags"] == {"line": "probe", "entry": str(entry.code), "trace_id": entry.trace_id}
    assert event["extra"]["worker"] == entry.worker_ids[-1]
    assert not any(b"a secret of the visitor" in body for body in receiver.raw)
    assert "threads, and the process of its task" not in processes.logs()
