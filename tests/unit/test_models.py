"""Rows and their moves: one compare-and-swap each."""

import datetime
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models.signals import post_save, pre_save

from queueing import site_time
from queueing.exceptions import IllegalMove, TooManyWaiting
from queueing.models import Entry, EntryFile
from queueing.models.compiled import Insert
from queueing.states import FINAL, LIVE, MOVES, Reason, Status

Join = Callable[..., Entry]
pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def test_an_entry_that_started_can_succeed_with_its_result(join: Join) -> None:
    entry = join()
    assert entry.start("w1")
    assert (entry.status, entry.attempt, entry.worker_ids) == (Status.RUNNING, 1, ["w1"])
    assert entry.succeed({"x": 1})
    entry.refresh_from_db()
    assert entry.result == {"x": 1}
    assert entry.finished_at is not None


def test_every_status_has_its_moves() -> None:
    assert set(MOVES) == set(Status)
    assert set(Status) == LIVE | FINAL
    assert all(not MOVES[status] for status in FINAL)


def test_only_one_of_two_workers_starts_an_entry(join: Join) -> None:
    join()
    mine, yours = Entry.objects.get(), Entry.objects.get()
    assert mine.start("w1")
    assert not yours.start("w2")


def test_a_first_attempt_starts_in_one_query_and_knows_its_row(join: Join) -> None:
    entry = join()
    started = Entry.objects.start_first_attempt(entry.job_id, "w1")
    assert started is not None
    assert entry.attempt == 0
    assert not entry.start("w2")  # it was read before
    assert (started.status, started.attempt, started.worker_ids) == (Status.RUNNING, 1, ["w1"])
    stored = Entry.objects.values().get()
    assert {name: getattr(started, name) for name in stored} == stored
    assert started.succeed({"x": 1})
    assert Entry.objects.get().result == {"x": 1}


def test_each_first_start_has_its_own_values(join: Join, settings: Any) -> None:
    """Its SQL is compiled once."""
    for number, lease in enumerate((60, 600), start=1):
        settings.QUEUEING = settings.QUEUEING | {"LEASE": lease}
        entry = join()
        started = Entry.objects.start_first_attempt(entry.job_id, f"w{number}")
        assert started is not None
        assert started.lease_until is not None
        assert (started.pk, started.worker_ids) == (entry.pk, [f"w{number}"])
        assert started.last_attempted_at == started.started_at
        left = started.lease_until - site_time.now()
        assert lease - 10 < left.total_seconds() < lease + 10


def test_the_compiled_insert_stores_and_says_what_save_does() -> None:
    same = {"queue": "probe", "task_path": "x", "visitor": uuid.UUID(int=1), "joined_at": site_time.now()}
    heard: list[Any] = []
    stored: list[dict[str, Any]] = []

    def hear(**said: Any) -> None:
        heard.append({name: said[name] for name in sorted(said) if name != "instance"})

    def store(save: Callable[[Entry], object], slot: int) -> None:
        entry = Entry(**same, slot=slot, kwargs={"day": datetime.date(2024, 2, 29)}, input="inputs/x", behind=True)
        save(entry)
        assert (entry._state.adding, entry._state.db) == (False, "default")
        stored.append(dict(Entry.objects.filter(pk=entry.pk).values().get()))

    signals = (pre_save, post_save)
    for signal in signals:
        signal.connect(hear)
    try:
        store(Insert[Entry]().execute, 0)
        store(partial(Entry.save, force_insert=True), 1)
    finally:
        for signal in signals:
            signal.disconnect(hear)
    assert heard[:2] == heard[2:]
    ours, djangos = ({name: row[name] for name in row if name not in {"id", "code", "slot"}} for row in stored)
    assert ours == djangos


def test_each_compiled_insert_has_its_own_values(join: Join) -> None:
    first, second = join(), join()
    assert first.pk != second.pk
    assert {entry.code for entry in Entry.objects.all()} == {first.code, second.code}


class ReadsElsewhere:
    """A router that sends reads to a database that is not there."""

    def db_for_read(self, *_: Any, **__: Any) -> str:
        return "replica"


def test_a_move_that_returns_its_rows_is_written_where_rows_are_written(join: Join, settings: Any) -> None:
    entry = join()
    settings.DATABASE_ROUTERS = ["tests.unit.test_models.ReadsElsewhere"]
    started = Entry.objects.start_first_attempt(entry.job_id, "w1")
    assert started is not None
    [changed] = Entry.objects.all().update_returning({"message": "moved"}, ["id", "message"])
    assert (changed.pk, changed._state.db) == (started.pk, "default")


def test_only_a_waiting_first_attempt_starts_in_one_query(join: Join) -> None:
    retried, running, gone = join(), join(), join()
    assert retried.start("w1")
    assert retried.requeue_orphan()
    assert running.start("w1")
    gone.delete()
    before = list(Entry.objects.order_by("id").values())
    for entry in (retried, running, gone):
        assert Entry.objects.start_first_attempt(entry.job_id, "w2") is None
    assert Entry.objects.start_first_attempt("somebody else's", "w2") is None
    assert list(Entry.objects.order_by("id").values()) == before


def test_a_late_attempt_can_write_nothing(join: Join) -> None:
    entry = join()
    entry.start("w1")
    late = Entry.objects.get()
    entry.requeue_orphan()
    entry.start("w2")
    assert not late.renew_lease()
    assert not late.report(0.5, "late")
    assert not late.succeed({"late": True}, [EntryFile(entry=late, attempt=1, name="x", content_type="x", size=1)])
    assert not late.fail(Reason.ERROR)
    entry.refresh_from_db()
    assert (entry.status, entry.attempt, entry.worker_ids) == (Status.RUNNING, 2, ["w1", "w2"])
    assert not entry.files.exists()


@pytest.mark.parametrize("status", sorted(FINAL))
def test_final_is_final(join: Join, status: str) -> None:
    entry = join()
    Entry.objects.update(status=status)
    for stale in (entry, Entry.objects.get()):
        assert not stale.start("w")
        assert not stale.cancel()
        assert not stale.abandon(Reason.LOST)
    assert Entry.objects.get().status == status


@pytest.mark.django_db(transaction=True)
def test_a_result_that_was_rolled_back_takes_no_file_of_another_entry_with_it(join: Join) -> None:
    first, second = join("first"), join("second")
    for entry in (first, second):
        entry.start("w1")
    file, other = (EntryFile(entry=entry, attempt=1, name="x", content_type="x", size=1) for entry in (first, second))
    refused = EntryFile(entry_id=0, attempt=1, name="x", content_type="x", size=1)  # at the commit: it has no entry
    with pytest.raises(IntegrityError):
        first.succeed({}, [file, refused])
    assert second.succeed({}, [other])
    assert first.succeed({}, [file])
    assert first.files.count() == second.files.count() == 1


@pytest.mark.parametrize("move", ["succeed", "fail", "requeue_orphan", "fail_orphan", "undo_start", "start again"])
def test_a_move_that_does_not_exist_is_a_mistake_in_the_code(join: Join, move: str) -> None:
    """From a live status it raises: False would say that somebody else was first."""
    entry = join()
    arguments: dict[str, list[Any]] = {"succeed": [{}], "fail": [Reason.ERROR], "fail_orphan": ["", ""]}
    if move == "start again":
        move, arguments = "start", {"start": ["w2"]}
        assert entry.start("w1")
    before = Entry.objects.values().get()
    with pytest.raises(IllegalMove):
        getattr(entry, move)(*arguments.get(move, []))
    assert Entry.objects.values().get() == before


def test_giving_back_leaves_no_trace_of_the_start(join: Join) -> None:
    entry = join()
    entry.start("w1")
    entry.undo_start()
    entry.refresh_from_db()
    assert (entry.status, entry.attempt, entry.worker_ids, entry.started_at) == (Status.WAITING, 0, [], None)


def test_a_visitor_holds_so_many_places_and_no_more(join: Join) -> None:
    visitor = uuid.uuid4()
    first, _ = join(visitor=visitor), join(visitor=visitor)
    with pytest.raises(TooManyWaiting):
        join(visitor=visitor)
    first.cancel()
    join(visitor=visitor)


def test_the_database_itself_refuses_a_third_place(join: Join) -> None:
    entry = join(visitor=uuid.uuid4())
    with pytest.raises(IntegrityError), transaction.atomic():
        Entry.objects.create(queue="probe", task_path="x", visitor=entry.visitor, slot=entry.slot)


def start(entry: Entry, way: str) -> Entry:
    """Start the entry in one query, or from the row that was read."""
    if way == "one query":
        started = Entry.objects.start_first_attempt(entry.job_id, "w")
        assert started is not None
        return started
    assert entry.start("w")
    return entry


@pytest.mark.parametrize("way", ["one query", "from the row"])
def test_a_place_that_runs_counts_until_its_end(join: Join, way: str) -> None:
    visitor = uuid.uuid4()
    running, waiting = start(join(visitor=visitor), way), join(visitor=visitor)
    with pytest.raises(TooManyWaiting):
        join(visitor=visitor)
    assert running.requeue_orphan()
    with pytest.raises(TooManyWaiting):
        join(visitor=visitor)
    assert running.start("w2")
    assert running.undo_start()
    assert start(waiting, way).fail(Reason.ERROR)
    join(visitor=visitor)
    with pytest.raises(TooManyWaiting):
        join(visitor=visitor)


@pytest.mark.parametrize("end", ["succeed", "fail", "cancel", "abandon", "fail_orphan", "dropped"])
def test_every_end_frees_the_place(join: Join, end: str) -> None:
    visitor = uuid.uuid4()
    entry = join(visitor=visitor)
    join(visitor=visitor)
    if end == "dropped":
        assert Entry.objects.filter(pk=entry.pk).abandon(Reason.LOST) == 1
    else:
        assert entry.start("w")
        arguments: dict[str, list[Any]] = {"succeed": [{}], "fail": [Reason.ERROR], "abandon": [Reason.LOST]}
        assert getattr(entry, end)(*arguments.get(end, ["", ""] if end == "fail_orphan" else []))
    assert Entry.objects.values_list("slot", flat=True).get(pk=entry.pk) is None
    join(visitor=visitor)


@pytest.mark.parametrize("status", sorted(LIVE))
def test_the_database_itself_refuses_a_third_place_beside_one_that_runs(join: Join, status: str) -> None:
    entry = join(visitor=uuid.uuid4())
    Entry.objects.update(status=status)
    with pytest.raises(IntegrityError), transaction.atomic():
        Entry.objects.create(queue="probe", task_path="x", visitor=entry.visitor, slot=entry.slot)


def test_the_score_is_exact_in_a_double() -> None:
    for number in (1, 2**40 - 1):
        for priority in (-100, 0, 100):
            score = Entry(id=number, priority=priority).score
            assert int(float(score)) == score
