"""The soak notices what must not be: each rule of it, with evidence that breaks it."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import redis

from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Reason, Status
from tests.soak import faults, invariants
from tests.soak.invariants import Evidence, Run
from tests.soak.ledger import Ledger, Stay, Window
from tests.support.visitors import Visitor, finished

NOW = time.time()


def row(
    label: str, number: int = 1, status: Status = Status.SUCCEEDED, started: float = 0.0, **values: object
) -> Entry:
    """A row as it is in the database at the end of a soak."""
    entry = Entry(pk=number, queue="probe", kwargs={"label": label}, status=status, attempt=1, **values)
    entry.started_at = datetime.fromtimestamp(NOW + started, UTC)
    entry.finished_at = None if entry.is_live else datetime.fromtimestamp(NOW + started + 1, UTC)
    return entry


def stay(label: str, entry: Entry, **values: object) -> Stay:
    made = Stay(label, "stays", code=str(entry.code), joined_at=NOW - 60)
    made.looked_at = NOW - 59
    return replace(made, **values)  # type: ignore[arg-type]


def rules(stays: list[Stay], rows: list[Entry], *runs: Run, windows: tuple[Window, ...] = ()) -> set[str]:
    """The rules that this evidence breaks, but for the one about files."""
    ledger = Ledger()
    ledger.windows += windows
    for entry in rows:
        entry.__dict__["_prefetched_objects_cache"] = {"files": []}  # it is in no database
    evidence = Evidence(stays, {str(entry.code): entry for entry in rows}, list(runs), ledger)
    return {found.rule for found in invariants.violations(evidence) if "has the files []" not in found.text}


@pytest.fixture
def done() -> Entry:
    return row("a", result={"label": "a", "attempt": 1})


def test_a_success_that_was_told_breaks_no_rule(done: Entry) -> None:
    assert rules([stay("a", done, end="succeeded", result="a")], [done], Run("a", 1, NOW)) == set()


def test_an_acknowledged_join_without_a_row_is_noticed(done: Entry) -> None:
    assert rules([stay("a", done)], []) == {"acknowledged"}


@pytest.mark.parametrize("status", [Status.WAITING, Status.RUNNING])
def test_an_entry_that_never_ends_is_noticed(status: Status) -> None:
    entry = row("a", status=status)
    assert rules([stay("a", entry)], [entry]) == {"final"}


def test_an_end_that_is_another_than_was_told_is_noticed() -> None:
    entry = row("a", status=Status.FAILED, reason=Reason.ORPHANED)
    assert rules([stay("a", entry, end="succeeded")], [entry]) == {"final"}


def test_a_result_of_an_earlier_attempt_is_noticed(done: Entry) -> None:
    done.attempt = 2
    assert rules([stay("a", done)], [done]) == {"one result"}


def test_two_starts_of_an_attempt_are_noticed(done: Entry) -> None:
    assert rules([stay("a", done)], [done], Run("a", 1, NOW), Run("a", 1, NOW + 0.5)) == {"one start"}


def test_a_start_after_the_end_is_noticed(done: Entry) -> None:
    assert rules([stay("a", done)], [done], Run("a", 1, NOW + 10)) == {"one start"}


def test_a_start_after_a_goodbye_is_noticed_unless_redis_could_not_be_told(done: Entry) -> None:
    gone = stay("a", done, way="says goodbye", gone_at=NOW - 10)
    run, outage = Run("a", 1, NOW), Window("redis", NOW - 12, NOW - 9, NOW)
    assert rules([gone], [done], run) == {"absent"}
    assert rules([gone], [done], run, windows=(outage,)) == set()


def test_a_visitor_who_was_there_and_was_dropped_is_noticed_unless_it_was_away_for_a_grace() -> None:
    entry = row("a", status=Status.ABANDONED, reason=Reason.LOST)
    assert rules([stay("a", entry)], [entry]) == {"dropped"}
    assert rules([stay("a", entry, gaps=[(NOW - 20, NOW - 10)])], [entry]) == set()


def test_a_later_one_that_is_started_first_is_noticed_unless_a_worker_had_died(done: Entry) -> None:
    later = row("b", 2, started=-20, result={"label": "b", "attempt": 1})
    stays = [stay("a", done), stay("b", later)]
    assert rules(stays, [done, later]) == {"order"}
    assert rules(stays, [done, later], windows=(Window("worker", NOW - 25, NOW - 24, NOW - 15),)) == set()


def test_what_has_no_row_after_a_purge_is_noticed(db: None, line: Line, valkey: redis.Redis) -> None:
    entry = finished(Visitor())
    line.remove(entry.job_id)
    valkey.zadd("rq:line:probe:held", {entry.job_id: 1})
    assert {found.text for found in invariants.left_behind(valkey)} == {"the key rq:line:probe:held is left"}
    assert not Entry.objects.exists()


def test_a_seed_is_the_same_plan_again() -> None:
    names = [*faults.FAULTS]
    assert faults.plan(7, 600, names) == faults.plan(7, 600, names) != faults.plan(8, 600, names)
    assert {step.name for seed in range(9) for step in faults.plan(seed, 600, names)} == set(names)
