"""Goodput is work whose end somebody saw; all other worker-seconds are waste, by cause."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest

from queueing import ending, goodput, site_time, stats
from queueing.conf import conf
from queueing.history import counting
from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import FINAL, Absence, Reason, Status
from tests.support import probe

Join = Callable[..., Entry]
# Worker-seconds are counted exactly, so none passes by itself.
pytestmark = [pytest.mark.django_db, pytest.mark.postgres, pytest.mark.usefixtures("still_clock")]

ENDS: dict[str, Callable[[Entry], bool]] = {
    "succeed": lambda entry: entry.succeed({}),
    "unusable": lambda entry: entry.fail(Reason.UNUSABLE, "It is encrypted."),
    "timeout": lambda entry: entry.fail(Reason.TIMEOUT),
    "crash": lambda entry: entry.fail(Reason.CRASHED),
    "error": lambda entry: entry.fail(Reason.ERROR),
    "orphaned": lambda entry: entry.fail_orphan("", ""),
    "stop": lambda entry: entry.cancel(),
    "ended by staff": lambda entry: entry.cancel(Reason.ENDED),
    "closed": lambda entry: entry.abandon(Reason.CLOSED),
    "lost": lambda entry: entry.abandon(Reason.LOST),
}
ANSWERS = ("succeed", "unusable", "timeout", "crash")


def started_ago(entry: Entry, seconds: float) -> None:
    """The running attempt began so long ago."""
    entry.last_attempted_at = site_time.now() - timedelta(seconds=seconds)
    Entry.objects.filter(pk=entry.pk).update(last_attempted_at=entry.last_attempted_at)


def run(entry: Entry, end: str, seconds: float = 100) -> Entry:
    """Work on the entry for so long, and end it like that."""
    assert entry.start("w")
    started_ago(entry, seconds)
    assert ENDS[end](entry)
    return entry


def ended_ago(entry: Entry, seconds: float) -> None:
    Entry.objects.filter(pk=entry.pk).update(finished_at=site_time.now() - timedelta(seconds=seconds))


def shares() -> dict[str, int]:
    """The shares that are not empty, in full seconds."""
    line = stats.line_stats("probe")
    numbers = {"goodput": line.goodput, "not_seen_yet": line.not_seen_yet} | line.waste_by_cause
    assert line.waste == sum(line.waste_by_cause.values())
    return {share: round(seconds) for share, seconds in numbers.items() if round(seconds)}


@pytest.mark.parametrize("end", ANSWERS)
def test_an_answer_is_goodput_once_its_owner_has_seen_it(join: Join, end: str) -> None:
    entry = run(join(), end)
    assert shares() == {"not_seen_yet": 100}
    for seconds in (conf.LOST_GRACE, conf.KEEP_GRACE, 2 * conf.RESULT_TTL):  # the keeper has not deleted it yet
        ended_ago(entry, seconds + 10)
        assert shares() == {"not_seen_yet": 100}
    assert entry.see_end()
    assert shares() == {"goodput": 100}


def told() -> float:
    """The worker-seconds in all counters of the line, and in the gauge of those that are not decided."""
    counting.count(until=math.inf)
    ever = stats.totals()["probe"]
    assert ever.waste == sum(ever.waste_by_cause.values())
    return round(ever.goodput + ever.waste + stats.line_stats("probe").not_seen_yet)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("looked", [True, False])
def test_each_worker_second_is_told_once_from_the_end_to_the_deletion(join: Join, end: str, looked: bool) -> None:
    """By the counters and the gauge of /metrics together; the counters only grow."""
    entry = run(join(looked=looked), end)
    assert told() == 100
    for seconds in (conf.LOST_GRACE + 10, conf.KEEP_GRACE + 10, conf.RESULT_TTL + 10):
        ended_ago(entry, seconds)
        assert told() == 100
    before = stats.totals()["probe"]
    assert counting.delete([entry.pk]) == {entry.pk}
    assert told() == 100
    after = stats.totals()["probe"]
    assert after.goodput >= before.goodput
    assert all(after.waste_by_cause[cause] >= seconds for cause, seconds in before.waste_by_cause.items())


def test_an_entry_whose_visitor_never_came_is_no_goodput_later(join: Join) -> None:
    """The counter has it from the end on, so that the alert comes; a look at the end changes nothing of that."""
    entry = run(join(looked=False), "succeed")
    assert told() == 100
    assert stats.totals()["probe"].waste_by_cause["never_came"] == pytest.approx(100, abs=1)
    assert entry.see_end()
    assert shares() == {"never_came": 100}
    assert told() == 100


@pytest.mark.parametrize(
    ("end", "cause"),
    [
        ("error", "failed"),
        ("orphaned", "failed"),
        ("stop", "stopped"),
        ("ended by staff", "stopped"),
        ("closed", "left"),
        ("lost", "left"),
    ],
)
def test_work_without_an_answer_is_waste_though_its_end_was_seen(join: Join, end: str, cause: str) -> None:
    entry = run(join(), end)
    assert entry.see_end()
    assert shares() == {cause: 100}


@pytest.mark.parametrize("end", [*ANSWERS, "closed"])
def test_work_for_somebody_who_never_came_is_a_cause_of_its_own(join: Join, end: str) -> None:
    """No worker starts such an entry. If one ever does, the number shows it."""
    run(join(looked=False), end)
    assert shares() == {"never_came": 100}


def test_nobody_has_to_see_the_work_that_code_asked_for(
    db: None, line: Line, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        results = [probe.probe.enqueue(), probe.probe.enqueue(), probe.probe.using(backend="attended").enqueue()]
    plain, failed, attended = (Entry.objects.get(code=result.id) for result in results)
    attended.see()
    run(plain, "succeed", 1000)
    run(failed, "error", 200)
    run(attended, "succeed", 30)
    assert shares() == {"goodput": 1030, "failed": 200}


def test_an_attempt_that_our_machines_lost_is_waste_whatever_comes_of_the_entry(join: Join) -> None:
    entry = join()
    for seconds in (100, 20):
        assert entry.start("w")
        started_ago(entry, seconds)
        assert entry.requeue_orphan()
    assert shares() == {}  # counted when the entry has ended
    run(entry, "succeed", 3)
    entry.see_end()
    assert shares() == {"goodput": 3, "failed": 120}


@pytest.mark.parametrize("by_button", [True, False])
def test_the_wait_after_a_lost_attempt_is_no_work(join: Join, line: Line, by_button: bool) -> None:
    """The visitor leaves while waiting for the second attempt."""
    entry = join()
    assert entry.start("w")
    started_ago(entry, 500)
    assert entry.requeue_orphan()
    started_ago(entry, 3000)
    if by_button:
        ending.leave(entry)
    else:
        ending.drop("probe", [entry.job_id], Absence.LOST)
    assert shares() == {"failed": 500}


def test_an_undone_start_is_no_run(join: Join) -> None:
    entry = join()
    assert entry.start("w")
    started_ago(entry, 100)
    assert entry.undo_start()
    assert entry.cancel()
    assert shares() == {}


def test_clocks_that_disagree_make_no_negative_time(join: Join) -> None:
    run(join(), "stop", seconds=-100)
    assert shares() == {}
    assert Entry.objects.get().run_time == timedelta()


def test_every_ended_row_is_in_one_share(join: Join) -> None:
    """Each combination of what the shares look at."""
    moments: list[datetime | None] = [None, site_time.now()]
    ages = [timedelta(), timedelta(seconds=conf.LOST_GRACE + 10), timedelta(seconds=conf.KEEP_GRACE + 10)]
    owner = join().visitor
    Entry.objects.all().delete()
    reasons = (Reason.NONE, Reason.UNUSABLE, Reason.ERROR, Reason.ORPHANED)
    combined = product(sorted(FINAL), reasons, moments, moments, [True, False], [None, owner], [None, 1800], ages)
    Entry.objects.bulk_create(
        Entry(
            queue="probe",
            task_path="x",
            status=status,
            reason=reason,
            seen_at=seen,
            end_seen_at=end_seen,
            needs_presence=needs_presence,
            visitor=visitor,
            keep_seconds=keep,
            finished_at=site_time.now() - age,
            run_time=timedelta(seconds=1),
        )
        for status, reason, seen, end_seen, needs_presence, visitor, keep, age in combined
    )
    rows = Entry.objects.final()
    counts = {share: rows.filter(condition).count() for share, condition in goodput.shares().items()}
    assert all(counts.values())
    assert sum(counts.values()) == rows.count()


def test_rows_from_before_the_columns_are_not_counted(join: Join) -> None:
    entry = run(join(), "succeed")
    Entry.objects.filter(pk=entry.pk).update(run_time=None, status=Status.SUCCEEDED)
    assert shares() == {}
