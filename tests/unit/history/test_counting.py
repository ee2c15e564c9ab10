"""Each event of an entry is in its minute once, and the minutes add up to the rows."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from queueing import ending
from queueing.history import counting
from queueing.history.books import locked, minute_of
from queueing.keeper import purge
from queueing.models import Counted, Entry, LineMemory, LineMinute
from queueing.states import Reason, Status
from queueing.tally import Tally
from tests.support import ledger

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

Join = Callable[..., Entry]
FOREVER = float("inf")
NOON = datetime.fromisoformat("2026-03-01T12:00:20Z")


def count() -> int:
    return counting.count(until=FOREVER)


def told(name: str) -> dict[str, int]:
    """The minutes in which this number is not 0. Those of another day than NOON have their date."""
    minutes = {at: numbers[name] for (_, at), numbers in sorted(ledger.of_minutes().items()) if numbers[name]}
    return {f"{at:%H:%M}" if at.date() == NOON.date() else f"{at:%F %H:%M}": number for at, number in minutes.items()}


def move(entry: Entry, **times: Any) -> Entry:
    """The row as if it had been written at other times."""
    Entry.objects.filter(pk=entry.pk).update(**times)
    entry.refresh_from_db()
    return entry


def ran(entry: Entry, *, seconds: float = 30, at: datetime = NOON, end: Callable[[Entry], bool] | None = None) -> Entry:
    """An entry that joined at noon, was started a minute later, and ran."""
    assert entry.start("w")
    assert end(entry) if end else entry.succeed({})
    started = at + timedelta(minutes=1)
    spans = {"started_at": started, "last_attempted_at": started, "run_time": timedelta(seconds=seconds)}
    return move(entry, joined_at=at, finished_at=started + timedelta(seconds=seconds), **spans)


def test_each_event_counts_in_the_minute_of_its_own_time(join: Join) -> None:
    ran(join(), seconds=90)
    assert count() == 1
    assert told("joined") == {"12:00": 1}
    assert told("started") == told("waits") == {"12:01": 1}
    assert told("succeeded") == told("runs") == {"12:02": 1}
    assert ledger.sum_of_minutes().waits.quantile(0.5) == pytest.approx(60, rel=0.1)


def test_an_entry_is_counted_once_however_often_it_is_looked_at(join: Join) -> None:
    entry = join()
    assert [count(), count()] == [1, 0]
    entry.start("w")
    assert [count(), count()] == [1, 0]
    entry.succeed({})
    assert [count(), count()] == [1, 0]
    entry.see_end()
    assert [count(), count()] == [1, 0]
    assert ledger.of_minutes() == ledger.of_entries(Entry.objects.all())


def test_work_is_worth_something_in_the_minute_in_which_that_is_decided(join: Join) -> None:
    seen, unseen = ran(join()), ran(join(), seconds=40)
    count()
    assert told("goodput") == told("waste_never_seen") == {}
    move(seen, end_seen_at=NOON + timedelta(minutes=7))
    count()
    assert told("goodput") == {"12:07": 30_000_000}
    deleted = counting.delete([seen.pk, unseen.pk])
    assert deleted == {seen.pk, unseen.pk}
    assert not Entry.objects.exists()
    assert told("goodput") == {"12:07": 30_000_000}
    assert sum(told("waste_never_seen").values()) == 40_000_000
    assert max(at for _, at in ledger.of_minutes()) > timezone.now() - timedelta(minutes=2)


def test_a_look_at_the_end_that_was_not_counted_yet_is_goodput_when_the_row_goes(join: Join) -> None:
    entry = move(ran(join()), end_seen_at=NOON + timedelta(minutes=7))
    counting.delete([entry.pk])
    assert told("goodput") == {"12:07": 30_000_000}
    assert told("joined") == {"12:00": 1}


@pytest.mark.parametrize(
    ("end", "name"),
    [
        (lambda entry: entry.cancel(), "waste_stopped"),
        (lambda entry: entry.abandon(Reason.CLOSED), "waste_left"),
        (lambda entry: entry.fail(Reason.ERROR), "waste_failed"),
    ],
)
def test_work_for_nothing_is_waste_at_its_end(join: Join, end: Callable[[Entry], bool], name: str) -> None:
    entry = ran(join(), end=end)
    count()
    assert told(name) == {"12:01": 30_000_000}
    entry.see_end()
    assert count() == 0
    assert ledger.sum_of_minutes().waste == 30


def test_an_end_that_is_noted_late_is_in_its_own_minute(join: Join) -> None:
    """Of a worker that could not reach the database, or whose clock is behind."""
    entry, other = join(), ran(join(), at=NOON + timedelta(hours=2))
    count()
    ran(entry)
    count()
    assert told("succeeded") == {"12:01": 1, "14:01": 1}
    assert told("joined").pop("14:00") == 1
    assert other.finished_at


def test_what_the_visitor_deletes_stays_in_the_minutes(join: Join) -> None:
    entry, later = ran(join()), ran(join())
    count()
    before = ledger.of_minutes()
    assert ending.erase(entry)
    count()
    assert ledger.of_minutes() == before
    assert ending.erase(later)
    later.see_end()
    count()
    assert ledger.of_minutes() == ledger.of_entries(Entry.objects.all())


def test_a_start_that_is_undone_stays_in_the_totals_which_only_grow(join: Join) -> None:
    """A counter that falls is one that began anew, for everybody who reads it."""
    entry = join()
    entry.start("w")
    count()
    counted = totals()
    assert (counted.started, counted.waits.number) == (1, 1)
    assert counting.undo_start(entry)
    undone = totals()
    assert (undone.started, undone.details["undone"]) == (1, 1)
    assert (undone.waits, undone.details["waited"]) == (counted.waits, counted.details["waited"])
    entry.start("w")
    count()
    assert (totals().started - totals().details["undone"], totals().waits.number) == (1, 2)


def totals() -> Tally:
    return LineMemory.objects.get(queue="probe").tally()


@pytest.mark.parametrize("counted", [True, False])
def test_an_undone_start_is_no_start(join: Join, counted: bool) -> None:
    entry = join()
    entry.start("w")
    if counted:
        count()
    assert counting.undo_start(entry)
    count()
    assert not any(numbers["started"] or numbers["waits"] for numbers in ledger.of_minutes().values())
    entry.start("w")
    count()
    assert sum(told("started").values()) == 1
    assert ledger.of_minutes() == ledger.of_entries(Entry.objects.all())


def test_a_second_attempt_is_no_second_start_and_cannot_be_undone_to_none(join: Join) -> None:
    entry = join()
    entry.start("w")
    count()
    entry.requeue_orphan()
    entry.start("w")
    count()
    assert counting.undo_start(entry)
    count()
    assert sum(told("started").values()) == 1
    entry.cancel()
    count()
    assert ledger.of_minutes() == ledger.of_entries(Entry.objects.all())


def test_no_entry_is_purged_before_it_is_in_its_minute(join: Join) -> None:
    """As `purge_stale` does at a site without a keeper."""
    entries = [ran(join()), join(), ran(join(), end=lambda entry: entry.fail(Reason.TIMEOUT))]
    entries[1].cancel()
    began = timezone.now()
    rows = list(Entry.objects.all())
    assert purge.purge_entries(timedelta()).total() == 3
    deleted = [(row, began) for row in rows]
    expected = ledger.of_entries([], deleted)
    assert total_of(ledger.of_minutes()) == total_of(expected)
    assert told("joined")["12:00"] == 2


def total_of(numbers: ledger.Numbers) -> dict[str, int]:
    summed: dict[str, int] = {}
    for minute in numbers.values():
        for name, number in minute.items():
            summed[name] = summed.get(name, 0) + number
    return summed


def test_the_totals_of_a_line_are_those_of_all_its_minutes(join: Join) -> None:
    for seconds in (5, 50, 500):
        move(ran(join(), seconds=seconds), end_seen_at=timezone.now())
        count()
    memory = LineMemory.objects.get(queue="probe")
    assert memory.tally() == ledger.sum_of_minutes()
    assert memory.tally().goodput == 555
    assert memory.tally().runs.quantile(0.5) == pytest.approx(50, rel=0.19)


def test_a_minute_is_one_row_that_is_written_when_it_is_over(db: None) -> None:
    """The rows of open minutes would be written again and again."""

    def note(minutes: int) -> dict[str, int]:
        with locked(["probe"]) as books:
            books.of("probe", NOON + timedelta(minutes=minutes)).joined += 1
        return {f"{row.at:%H:%M}": row.joined for row in LineMinute.objects.order_by("at")}

    assert [note(0), note(0)] == [{}, {}]
    assert note(1) == {"12:00": 2}
    assert note(1) == {"12:00": 2}
    assert note(0) == {"12:00": 3}  # late
    assert note(3) == {"12:00": 3, "12:01": 2}
    assert ledger.sum_of_minutes().joined == 6


def test_a_clock_that_is_ahead_closes_no_minute(db: None) -> None:
    now = timezone.now()
    for ahead in (0, 60, 0):
        with locked(["probe"]) as books:
            books.of("probe", now + timedelta(minutes=ahead)).joined += 1
    assert [row.at - minute_of(now) for row in LineMinute.objects.all()] == [timedelta(hours=1)]
    assert sorted(numbers["joined"] for numbers in ledger.of_minutes().values()) == [1, 2]


MOVES: list[Callable[[Entry], Any]] = [
    lambda entry: entry.start("w"),
    lambda entry: entry.succeed({}),
    lambda entry: entry.fail(Reason.UNUSABLE),
    lambda entry: entry.fail(Reason.ERROR),
    lambda entry: entry.requeue_orphan(),
    lambda entry: entry.fail_orphan("", ""),
    lambda entry: entry.try_again_in(0),
    counting.undo_start,
    lambda entry: entry.cancel(),
    lambda entry: entry.abandon(Reason.LOST),
    lambda entry: entry.see_end(),
    ending.erase,
]


def legal(entry: Entry, number: int) -> bool:
    if number == 0:
        return entry.status == Status.WAITING
    return number > 7 or entry.status == Status.RUNNING


def wander(entries: Sequence[Entry], chance: random.Random) -> None:
    """Move one of the entries in some way that it can move."""
    entry = chance.choice(entries)
    number = chance.choice([number for number in range(len(MOVES)) if legal(entry, number)])
    MOVES[number](entry)


@pytest.mark.parametrize("seed", range(4))
def test_after_any_moves_the_minutes_are_those_of_the_rows(join: Join, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # no secrets
    entries = [join(str(number), looked=chance.random() < 0.9) for number in range(6)]
    for _ in range(80):
        wander(entries, chance)
        if chance.random() < 0.3:
            count()
    count()
    assert ledger.of_minutes() == ledger.of_entries(Entry.objects.all())


class Killed(DatabaseError):
    """The keeper dies at this statement."""


@pytest.mark.parametrize("step", ["count", "delete"])
def test_a_keeper_that_dies_at_any_statement_loses_nothing_and_counts_nothing_twice(join: Join, step: str) -> None:
    entry = ran(join())
    join().cancel()
    pks = list(Entry.objects.values_list("pk", flat=True))
    rows = list(Entry.objects.all())
    run = count if step == "count" else lambda: counting.delete(pks)
    for statement in range(100):
        if not dies_at(statement, run):
            break
        assert not ledger.of_minutes()
        assert Entry.objects.filter(counted=Counted.NOTHING).count() == 2
    else:
        pytest.fail("it never came to its end")
    assert statement > 5
    count()
    expected = ledger.of_entries(rows) if step == "count" else ledger.of_entries([], [(row, NOON) for row in rows])
    assert total_of(ledger.of_minutes()) == total_of(expected)
    assert entry.pk


def dies_at(number: int, run: Callable[[], Any]) -> bool:
    """Run it, and let the statement with this number fail. False: it has fewer of them."""
    sent = 0

    def fail(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal sent
        if "SAVEPOINT" not in sql:  # the transaction is one within that of the test
            sent += 1
            if sent > number:
                raise Killed
        return execute(sql, params, many, context)

    try:
        with connection.execute_wrapper(fail):
            run()
    except Killed:
        return True
    return False


def test_a_task_that_is_tried_again_starts_once_and_its_earlier_tries_are_waste(join: Join) -> None:
    entry = join()
    for seconds in (30, 50):  # two tries that failed
        assert entry.start("w")
        move(entry, last_attempted_at=timezone.now() - timedelta(seconds=seconds))
        assert entry.try_again_in(0)
        entry.refresh_from_db()
    assert count() == 1
    ran(entry, seconds=10)
    move(entry, end_seen_at=NOON + timedelta(minutes=5))
    assert count() == 1
    numbers = ledger.sum_of_minutes()
    assert (numbers.joined, numbers.started, numbers.succeeded) == (1, 1, 1)
    assert numbers.details["waste_failed"] == pytest.approx(80e6, rel=0.1)
    assert numbers.details["goodput"] == 10e6
    assert entry.lost_time is not None
    assert numbers.details["waste_failed"] == entry.lost_time // timedelta(microseconds=1)
    assert numbers.details["lost_attempts"] == 0  # no worker died


def test_an_entry_that_leaves_before_its_next_try_has_lost_the_attempts_of_dead_workers_alone(join: Join) -> None:
    entry = join()
    for end in (entry.requeue_orphan, lambda: entry.try_again_in(0)):
        assert entry.start("w")
        assert end()
    assert entry.cancel()
    count()
    assert ledger.sum_of_minutes().details["lost_attempts"] == 1
