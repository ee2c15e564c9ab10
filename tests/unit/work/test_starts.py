"""The start of an entry in a horse: what is looked at once more, and what is told."""

from collections.abc import Callable
from typing import Any

import pytest

from queueing.keeper import timeline
from queueing.line import keys, presence
from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Absence, Status
from queueing.work import runner
from tests.support import probe
from tests.support.entries import status_of

Join = Callable[..., Entry]
pytestmark = pytest.mark.postgres


@pytest.fixture(autouse=True)
def worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RQ_WORKER_ID", "w1")


@pytest.mark.parametrize("on_leave", ["stop", "finish"])
def test_a_visitor_who_leaves_during_a_slow_start_gets_no_work(
    join: Join, line: Line, monkeypatch: pytest.MonkeyPatch, on_leave: str
) -> None:
    monkeypatch.setattr(Entry, "stops_on_leave", on_leave == "stop")
    entry = join()
    line.claim("w1")
    start = runner._start_in_one_query

    def start_slowly(*arguments: str) -> Any:
        started = start(*arguments)
        presence.close("probe", entry.job_id, Absence.LOST)
        return started

    monkeypatch.setattr(runner, "SLOW_START", -1)
    monkeypatch.setattr(runner, "_start_in_one_query", start_slowly)
    runner.run_entry(entry.job_id)
    assert (status_of(entry), entry.attempt, probe.calls()) == (Status.WAITING, 0, [])
    assert (line.claims(), line.held_ids()) == ({}, [entry.job_id])


def test_an_entry_that_needs_nobody_is_run_although_redis_was_emptied(
    line: Line, django_capture_on_commit_callbacks: Any, db: None
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        entry = Entry.objects.get(code=probe.probe.using(backend="unattended").enqueue(label="x").id)
    line.client.delete(keys.presence_key(entry.job_id))
    runner.run_entry(entry.job_id)
    assert status_of(entry) == Status.SUCCEEDED


def test_a_start_ends_the_claim_and_is_in_the_timeline(join: Join, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = join(end="look")
    line.claim("w1")
    claims: list[object] = []
    monkeypatch.setitem(probe.ENDS, "look", lambda _: claims.append(line.claims()))
    runner.run_entry(entry.job_id)
    assert claims == [{}]  # while the task ran
    assert timeline.write_notes(line) == 1
    assert [(event.kind, event.detail) for event in entry.events.all()] == [("started", "attempt 1, w1")]
