"""Entries that are put off: a later start, and the pause before another try."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from queueing import ending, registry
from queueing.admin import columns
from queueing.keeper import later
from queueing.keeper.round import Keeper
from queueing.line import presence
from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Absence, Reason, Status
from queueing.web import snapshot
from queueing.work import runner
from tests.support import probe
from tests.support.entries import status_of
from tests.support.visitors import superuser, url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

Join = Callable[..., Entry]


@pytest.fixture(autouse=True)
def three_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    task = replace(probe.heavy_task, attempts=3, retry_on=(RuntimeError,), retry_after=60)
    monkeypatch.setitem(registry.all_tasks(), "probe", task)


def its_time_has_come(entry: Entry) -> None:
    Entry.objects.filter(pk=entry.pk).update(not_before=timezone.now() - timedelta(seconds=1))


def failed_once(line: Line, entry: Entry) -> None:
    line.claim("someone")
    runner.run_entry(entry.job_id)
    line.end_claim("someone", entry.job_id)
    entry.refresh_from_db()


def test_a_later_start_waits_without_a_place_until_its_time_has_come(keeper: Keeper, line: Line) -> None:
    result = probe.probe.using(run_after=timezone.now() + timedelta(hours=1)).enqueue(label="later")
    entry = Entry.objects.get()
    for _ in range(3):  # three comparisons do not take it for a place that was lost
        keeper.round()
        keeper.reconciler._compared_at.clear()
    assert line.count_entries() == 0
    runner.run_entry(entry.job_id)  # a job that RQ still has for it starts nothing
    presence.beat("probe", [entry.job_id], 15)
    runner.run_entry(entry.job_id)  # nor with somebody there
    assert probe.calls() == []
    its_time_has_come(entry)
    assert keeper.round()["brought"] == 1
    assert line.ids() == [entry.job_id]
    assert keeper.round()["brought"] == 0
    runner.run_entry(entry.job_id)
    result.refresh()
    assert result.return_value == {"label": "later", "attempt": 1}


@pytest.fixture
def two_due(keeper: Keeper, line: Line) -> list[Entry]:
    """Two entries whose time has come."""
    for label in ("first", "second"):
        probe.probe.using(run_after=timezone.now() + timedelta(hours=1)).enqueue(label=label)
        its_time_has_come(Entry.objects.latest("id"))
    return list(Entry.objects.order_by("id"))


def meanwhile(act: Callable[[], Any]) -> AbstractContextManager[None]:
    """This happens right before the first UPDATE of a row, between the look for due rows and what is done with them."""
    has_acted = False

    def run(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal has_acted
        if sql.startswith("UPDATE") and not has_acted:
            has_acted = True
            act()
        return execute(sql, params, many, context)

    return connection.execute_wrapper(run)


def test_an_entry_that_another_keeper_has_brought_and_a_worker_started_gets_no_second_place(
    two_due: list[Entry], line: Line
) -> None:
    def bring_and_start() -> None:
        assert later.bring(line) == 2
        for entry in two_due:
            assert line.claim("someone").job_id == entry.job_id
            assert Entry.objects.start_first_attempt(entry.job_id, "someone")
            line.end_claim("someone", entry.job_id, started="attempt 1")

    with meanwhile(bring_and_start):
        assert later.bring(line) == 0
    assert line.count_entries() == 0
    assert line.client.zcard(line.keys.running) == 2


def test_an_entry_that_leaves_while_others_are_brought_leaves_no_place(two_due: list[Entry], line: Line) -> None:
    with meanwhile(lambda: ending.leave(two_due[1])):
        assert later.bring(line) == 1
    assert line.all_ids() == {two_due[0].job_id}


def test_a_place_that_was_changed_meanwhile_is_the_one_that_counts(two_due: list[Entry], line: Line) -> None:
    with meanwhile(two_due[1].put_first):
        later.bring(line)
    assert line.ids() == [two_due[1].job_id, two_due[0].job_id]


def test_a_keeper_that_dies_before_it_gives_the_place_is_made_good_by_the_next(
    two_due: list[Entry], keeper: Keeper, line: Line
) -> None:
    for entry in two_due:
        assert Entry.objects.filter(pk=entry.pk).bring(["id"])
    for _ in range(2):  # what is missing for the first time may be on its way
        keeper.reconciler._compared_at.clear()
        keeper.round()
    assert line.ids() == [entry.job_id for entry in two_due]
    assert line.claim("someone").job_id == two_due[0].job_id
    runner.run_entry(two_due[0].job_id)
    assert probe.calls() == ["first"]


def test_a_crowd_whose_time_has_come_is_brought_in_several_rounds(
    two_due: list[Entry], line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert later.bring(line, until=0) == 1
    assert line.ids() == [two_due[0].job_id]
    probe.probe.using(run_after=timezone.now() + timedelta(hours=1)).enqueue(label="third")
    its_time_has_come(Entry.objects.latest("id"))
    monkeypatch.setattr("queueing.keeper.later.BATCH", 1)
    assert later.bring(line) == 2
    assert line.count_entries() == 3


def test_a_start_in_the_past_is_due_now(line: Line) -> None:
    probe.probe.using(run_after=timezone.now() - timedelta(hours=1)).enqueue()
    assert line.count_entries() == 1


def test_after_a_flush_a_later_start_still_waits_for_its_time(keeper: Keeper, line: Line) -> None:
    probe.probe.using(run_after=timezone.now() + timedelta(hours=1)).enqueue()
    line.client.flushall()
    keeper.round()
    keeper.round()
    assert line.count_entries() == 0


def test_a_task_that_is_tried_again_keeps_its_place_and_asks_for_its_visitor(
    join: Join, keeper: Keeper, line: Line
) -> None:
    entry, other = join("first", end="error"), join("second")
    failed_once(line, entry)
    assert (entry.status, entry.retries, entry.reason) == (Status.WAITING, 1, Reason.NONE)
    assert entry.not_before is not None
    assert 50 < (entry.not_before - timezone.now()).total_seconds() <= 60
    assert entry.lost_time is not None
    assert line.ids() == [other.job_id]  # nobody waits behind it meanwhile
    its_time_has_come(entry)
    keeper.round()
    assert line.ids() == [entry.job_id, other.job_id]


def test_a_visitor_who_has_gone_meanwhile_is_not_worked_for_again(join: Join, keeper: Keeper, line: Line) -> None:
    entry = join("gone", end="error")
    failed_once(line, entry)
    presence.close("probe", entry.job_id, Absence.CLOSED)
    its_time_has_come(entry)
    keeper.round()
    assert line.held_ids() == [entry.job_id]
    assert probe.calls() == ["gone"]
    presence.beat("probe", [entry.job_id], 15)  # back in time
    assert line.ids() == [entry.job_id]


def test_a_task_that_finishes_without_its_visitor_asks_for_them_before_another_try(
    join: Join, keeper: Keeper, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.all_tasks(), "probe", replace(registry.get_task("probe"), on_leave="finish"))
    entry = join("gone", end="error")
    failed_once(line, entry)
    presence.close("probe", entry.job_id, Absence.CLOSED)
    its_time_has_come(entry)
    keeper.round()
    assert line.held_ids() == [entry.job_id]


def test_the_last_try_fails_and_the_time_of_the_others_is_waste(join: Join, keeper: Keeper, line: Line) -> None:
    entry = join("x", end="error")
    for _ in range(3):
        its_time_has_come(entry)
        keeper.round()
        failed_once(line, entry)
    assert (entry.status, entry.reason) == (Status.FAILED, Reason.ERROR)
    assert (entry.attempt, entry.retries) == (3, 2)
    assert entry.lost_time is not None
    assert entry.lost_time.total_seconds() > 0
    told = [event.detail for event in entry.events.filter(kind="retried")]
    assert told == [f"in {pause} s, after builtins.RuntimeError: secret detail" for pause in (60, 120)]


def test_what_is_not_in_retry_on_or_is_the_fault_of_the_input_is_not_tried_again(join: Join, line: Line) -> None:
    for end in ("unusable", "memory", "exit"):
        entry = join(end, end=end)
        failed_once(line, entry)
        assert entry.status == Status.FAILED, end


def test_another_function_in_the_same_line_is_not_tried_again(join: Join, line: Line) -> None:
    result = probe.fails.enqueue()
    runner.run_entry(result.id.replace("-", ""))
    assert status_of(Entry.objects.get()) == Status.FAILED


def test_a_worker_that_dies_in_a_second_try_costs_no_try_of_the_task(
    join: Join, keeper: Keeper, line: Line, settings: Any
) -> None:
    settings.QUEUEING = {"MAX_ATTEMPTS": 2}
    entry = join("x", end="error")
    failed_once(line, entry)
    its_time_has_come(entry)
    keeper.round()
    line.claim("someone")
    entry.refresh_from_db()
    assert entry.start("someone")
    assert ending.settle_orphan(entry, "dead")
    assert entry.status == Status.WAITING  # its second attempt, and the first that ended with its worker


@pytest.mark.parametrize(("days", "said"), [(0, "{:%H:%M} UTC"), (3, "{0.day} {0:%b}, {0:%H:%M} UTC")])
def test_the_page_says_when_a_later_start_is_due(line: Line, days: int, said: str) -> None:
    when = timezone.now() + timedelta(days=days)
    probe.probe.using(run_after=timezone.now() + timedelta(hours=1)).enqueue(label="later")
    Entry.objects.update(not_before=when)
    entry = Entry.objects.get()
    page = superuser().client.get(url(entry)).content.decode()
    assert re.search(rf">Starts: <time [^>]*>{said.format(when)}</time>", page)
    assert "Next try" not in page
    assert columns.state(entry) == f"Waiting until {said.format(when)}".replace(" UTC", when.strftime(":%S"))


def test_the_page_says_when_it_is_tried_again(join: Join, line: Line) -> None:
    entry = join("x", end="error")
    failed_once(line, entry)
    now = snapshot.read(entry)
    assert now.headline == "Waiting for the next try"
    assert "tried again by itself" in now.detail
    assert entry.not_before is not None
    assert now.next_try == entry.not_before.isoformat()
    assert now.wait == ""
    assert ">Next try: <time" in superuser().client.get(url(entry)).content.decode()
    its_time_has_come(entry)
    entry.refresh_from_db()
    entry.start("someone")
    assert "This is try 2 of 3" in snapshot.read(entry).detail
    connection.close()
