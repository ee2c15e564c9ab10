"""The survey of all lines, from which the keeper makes the facts of each."""

import math
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone
from rq.worker.base import WorkerStatus

from queueing.facts import parse_facts
from queueing.history.books import locked
from queueing.history.reading import ENOUGH
from queueing.keeper.survey import Survey, Surveyor, refresh_after
from queueing.line import clients, epoch
from queueing.line.keys import COUNTING, WORKER, facts_key
from queueing.line.places import Line
from queueing.models import Entry, EntryEvent
from queueing.states import Reason
from queueing.work.worker import PresenceWorker
from tests.support.levers import set_levers
from tests.support.standing import stand

pytestmark = pytest.mark.postgres

Join = Callable[..., Entry]


def born(*lines: str, name: str = "worker") -> PresenceWorker:
    worker = PresenceWorker(list(lines), name=name, connection=clients.connection())
    worker.register_birth()
    return worker


def ended(join: Join, *seconds: float) -> None:
    """Runs of so many seconds that have just ended, after a wait of a minute."""
    for length in seconds:
        entry = join()
        assert entry.start("earlier")
        assert entry.succeed({})
        started = Now() - timedelta(seconds=length)
        times = {"joined_at": started - timedelta(minutes=1), "started_at": started, "last_attempted_at": started}
        Entry.objects.filter(pk=entry.pk).update(finished_at=Now(), **times)


def running(join: Join, *, seconds: float, progress: float | None = None, worker: str = "worker") -> Entry:
    entry = join()
    assert entry.start(worker)
    Entry.objects.filter(pk=entry.pk).update(last_attempted_at=Now() - timedelta(seconds=seconds), progress=progress)
    return entry


# The facts


def test_the_wait_knows_the_age_and_the_progress_of_what_runs(join: Join) -> None:
    born("probe").set_state(WorkerStatus.BUSY)
    ended(join, *[90.0] * 10)
    began = time.monotonic()
    entry = running(join, seconds=30)
    low, high = Survey().facts("probe").wait(0) or (0, 0)
    passed = time.monotonic() - began  # the run is so much older by now
    assert 58 - passed < low <= high < 62
    Entry.objects.filter(pk=entry.pk).update(last_attempted_at=Now() - timedelta(seconds=300), progress=0.5)
    low, high = Survey().facts("probe").wait(0) or (0, 0)
    assert low < 300 < high


def test_pages_are_told_the_highest_priority_of_those_who_came_lately(join: Join) -> None:
    assert Survey().facts("probe").first_priority is None
    ended(join, 1.0, 1.0)
    assert Survey().facts("probe").first_priority == 0
    Entry.objects.filter(pk=Entry.objects.earliest("pk").pk).update(priority=10)
    assert Survey().facts("probe").first_priority == 10


def test_the_wait_knows_the_other_line_of_a_worker(join: Join) -> None:
    born("probe", "tables").set_state(WorkerStatus.BUSY)
    ended(join, *[60.0] * 10)
    running(join, seconds=50)
    alone = Survey().facts("probe").wait(0) or (0, 0)
    assert alone[1] < 15
    tables = join()
    Entry.objects.filter(pk=tables.pk).update(queue="tables")
    line = Line("tables", clients.connection())
    stand(line, tables.job_id, tables.score, presence=60)
    beside = Survey().facts("probe").wait(0) or (0, 0)
    assert beside[0] > alone[1] + 1  # it is the turn of "tables", whose typical time is 5 s


def test_a_worker_that_is_busy_with_another_line_is_not_free(join: Join) -> None:
    worker = born("tables", "probe", name="shared")
    for state, busy in ((WorkerStatus.IDLE, 0), (WorkerStatus.BUSY, 1)):
        worker.set_state(state)
        facts = Survey().facts("probe")
        assert (facts.workers, facts.running, facts.busy) == (1, 0, busy)
        assert (facts.wait(0) == (0, 2)) == (busy == 0)


def test_workers_that_are_busy_with_another_line_are_counted_and_dead_ones_are_not(join: Join) -> None:
    for name in ("here", "there", "rowless"):
        born("tables", "probe", name=name).set_state(WorkerStatus.BUSY)
    born("tables", name="stranger").set_state(WorkerStatus.BUSY)
    running(join, seconds=1, worker="here")
    running(join, seconds=1, worker="dead")
    for worker in ("there", "stranger", "gone"):
        entry = running(join, seconds=1, worker=worker)
        Entry.objects.filter(pk=entry.pk).update(queue="tables")
    facts = Survey().facts("probe")
    assert (facts.workers, facts.busy, facts.running, facts.busy_elsewhere) == (3, 3, 2, 1)


def test_visitors_who_leave_make_the_wait_shorter(join: Join) -> None:
    born("probe").set_state(WorkerStatus.BUSY)
    ended(join, *[60.0] * 10)
    running(join, seconds=1)
    stay = Survey().facts("probe").wait(10) or (0, 0)
    for _ in range(10):
        assert join().abandon(Reason.CLOSED)
    Entry.objects.filter(reason=Reason.CLOSED).update(joined_at=Now() - timedelta(seconds=30))
    assert (Survey().facts("probe").wait(10) or (0, 0))[1] < 0.8 * stay[1]


def test_one_browser_that_comes_and_goes_changes_nobodys_wait(join: Join) -> None:
    born("probe").set_state(WorkerStatus.BUSY)
    ended(join, *[60.0] * 10)
    before = Survey().facts("probe").wait(20)
    visitor = uuid.uuid4()
    for _ in range(30):
        join(visitor=visitor).abandon(Reason.CLOSED)
    assert Survey().facts("probe").wait(20) == before
    Entry.objects.filter(visitor=visitor).update(joined_at=Now() - timedelta(seconds=30))
    often = Survey().facts("probe").wait(20) or (0, 0)
    Entry.objects.filter(visitor=visitor).exclude(pk=Entry.objects.filter(visitor=visitor)[:1].get().pk).delete()
    assert often == pytest.approx(Survey().facts("probe").wait(20), rel=0.1)


def test_workers_are_not_missed_before_they_can_have_come_back(join: Join, valkey: redis.Redis) -> None:
    epoch.begin_restoring(valkey, "probe")
    assert Survey().facts("probe").workers is None
    valkey.delete(COUNTING)
    assert Survey().facts("probe").workers == 0


def test_unseen_entries_say_nothing_about_patience(join: Join) -> None:
    born("probe").set_state(WorkerStatus.BUSY)
    ended(join, *[60.0] * 10)
    before = Survey().facts("probe").waits
    for _ in range(10):
        assert join(looked=False).abandon(Reason.UNSEEN)
    assert Survey().facts("probe").waits == before


def test_held_entries_count_by_the_share_that_came_back(join: Join) -> None:
    assert Survey().facts("probe").return_share == 0.5
    for _ in range(8):
        entry = join()
        EntryEvent.objects.create(entry=entry, kind=EntryEvent.Kind.HELD)
        EntryEvent.objects.create(entry=entry, kind=EntryEvent.Kind.BACK)
        assert entry.abandon(Reason.CLOSED)
    assert Survey().facts("probe").return_share > 0.8


def test_the_first_visitor_is_told_by_the_progress_of_what_runs(join: Join) -> None:
    born("probe").set_state(WorkerStatus.BUSY)
    entry = running(join, seconds=30)
    assert Survey().facts("probe").wait(0) is None
    Entry.objects.filter(pk=entry.pk).update(progress=0.5)
    low, high = Survey().facts("probe").wait(0) or (0, 0)
    assert low < 30 < high


def past_runs(at: datetime, seconds: float, number: int = 20) -> None:
    """So many runs of so many seconds ended at that time, as the memory has them."""
    with locked(["probe"]) as books:
        books.of("probe", timezone.now()).joined += 1  # the open minute is a later one
        tally = books.of("probe", at)
        tally.succeeded += number
        tally.runs.note(seconds, number)


def told_by_memory(join: Join) -> tuple[float, float]:
    """The wait of the first visitor who comes while a run goes on of which nothing is known yet."""
    born("probe").set_state(WorkerStatus.BUSY)
    running(join, seconds=1)
    assert not Entry.objects.final().exists()
    return Survey().facts("probe").wait(0) or (0, 0)


@pytest.mark.parametrize(
    ("past", "expected"),
    [
        ({}, (0, 0)),
        ({timedelta(days=7): 60, timedelta(days=1): 600, timedelta(hours=5): 6000}, (40, 80)),  # this hour of the week
        ({timedelta(days=1): 600, timedelta(hours=5): 6000}, (450, 750)),  # this hour of the day
        ({timedelta(hours=5): 6000}, (4500, 7500)),
        ({timedelta(days=5): 600, timedelta(days=3): 600, timedelta(days=1): 600}, (450, 750)),
    ],
)
def test_the_first_visitor_after_a_quiet_night_is_told_by_this_hour_of_other_days(
    join: Join, past: dict[timedelta, float], expected: tuple[float, float]
) -> None:
    for age, seconds in past.items():
        past_runs(timezone.now() - age, seconds)
    low, high = told_by_memory(join)
    assert expected[0] <= low <= high <= expected[1]


def test_few_runs_in_this_hour_are_no_habit(join: Join) -> None:
    past_runs(timezone.now() - timedelta(days=7), 60, number=ENOUGH - 1)
    past_runs(timezone.now() - timedelta(days=2), 600, number=200)
    low, high = told_by_memory(join)
    assert low <= high
    assert high > 400


def test_recent_runs_count_more_than_those_of_other_days(join: Join) -> None:
    past_runs(timezone.now() - timedelta(days=7), 600)
    ended(join, 60.0, 60.0, 60.0)
    assert sorted(run for run in Survey()._state("probe").runs)[:3] == pytest.approx([60] * 3)
    assert len(Survey()._state("probe").runs) == 5
    ended(join, 60.0)
    assert Survey()._state("probe").runs == pytest.approx([60] * 4)


def test_the_memory_promises_nothing_without_workers(join: Join) -> None:
    past_runs(timezone.now() - timedelta(days=7), 60)
    running(join, seconds=1)
    assert Survey().facts("probe").wait(0) is None


def test_the_entry_of_a_dead_worker_is_expected_back(join: Join) -> None:
    born("probe").set_state(WorkerStatus.BUSY)
    ended(join, *[60.0] * 10)
    running(join, seconds=1)
    before = Survey().facts("probe").wait(0) or (0, 0)
    running(join, seconds=1, worker="dead")
    assert (Survey().facts("probe").wait(0) or (0, 0))[0] > before[1]


def test_no_more_workers_count_than_may_run_entries_of_the_line(join: Join) -> None:
    """Three workers, of which one may work for this line: the wait is that of one."""
    born("probe", name="a")
    born("probe", name="b")
    born("probe", name="c")
    ended(join, *[60.0] * 10)
    many = Survey().facts("probe")
    set_levers(max_running=1)
    one = Survey().facts("probe")
    assert one.workers == 3
    assert (one.wait(6) or (0, 0))[0] > 2 * (many.wait(6) or (0, 0))[1]


def test_a_worker_of_no_line_of_ours_does_no_harm(join: Join) -> None:
    born("elsewhere", name="stranger").set_state(WorkerStatus.BUSY)
    born("probe", "elsewhere").set_state(WorkerStatus.BUSY)
    ended(join, *[60.0] * 10)
    assert Survey().facts("probe").wait(3)
    assert Survey().facts("tables").workers == 0


# Their publication


@pytest.fixture
def published(line: Line) -> Callable[[], Any]:
    return lambda: parse_facts(line.client.get(facts_key("probe")))


def test_facts_are_made_anew_when_something_happens_and_not_each_time(join: Join, published: Any) -> None:
    """Pages are sent new numbers whenever the facts are others."""
    born("probe").set_state(WorkerStatus.BUSY)
    ended(join, *[60.0] * 10)
    entry, surveyor = running(join, seconds=10), Surveyor(budget=math.inf)
    assert surveyor.publish() == 3  # all lines
    first = published()
    Entry.objects.filter(pk=entry.pk).update(progress=0.9)
    surveyor._made = {queue: (before, math.inf) for queue, (before, _) in surveyor._made.items()}  # just now
    assert surveyor.publish() == 0
    assert published() == first
    assert running(join, seconds=1, worker="other")
    surveyor.publish()
    assert published().running == 2


def test_a_renewed_lease_is_no_news(join: Join) -> None:
    """PostgreSQL returns a row that was written elsewhere in the order."""
    entries = [running(join, seconds=10, worker=name) for name in ("one", "two", "three")]
    before = Survey().circumstances("probe")
    for entry in entries:
        assert entry.renew_lease()
        assert Survey().circumstances("probe") == before


def test_lines_for_which_no_time_is_left_have_their_turn_in_the_next_round(db: None, line: Line) -> None:
    born("probe")
    surveyor, keys = Surveyor(budget=0), [facts_key(queue) for queue in settings.QUEUEING_TASKS]
    for number in range(1, len(keys) + 1):
        assert surveyor.publish() == 1
        assert line.client.exists(*keys) == number
    born("probe", "tables", name="another")  # news for two lines
    line.client.expire(keys[0], 1)
    assert [surveyor.publish() for _ in range(2)] == [1, 1]
    assert all(line.client.ttl(key) > 10 for key in keys)


def test_facts_are_made_anew_after_a_while(join: Join, published: Any) -> None:
    born("probe").set_state(WorkerStatus.BUSY)
    ended(join, *[60.0] * 10)
    entry, surveyor = running(join, seconds=10), Surveyor(budget=math.inf)
    surveyor.publish()
    first = published()
    Entry.objects.filter(pk=entry.pk).update(progress=0.9)
    circumstances, made_at = surveyor._made["probe"]
    surveyor._made["probe"] = circumstances, made_at - refresh_after(0)
    surveyor.publish()
    assert published().waits != first.waits


def test_a_long_line_is_told_less_often() -> None:
    assert refresh_after(100) == refresh_after(0)
    assert refresh_after(10_000) > 2 * refresh_after(0)


def test_lost_facts_are_written_again_and_old_ones_live_on(join: Join, line: Line, published: Any) -> None:
    surveyor = Surveyor(budget=math.inf)
    surveyor.publish()
    line.client.expire(facts_key("probe"), 1)
    surveyor.publish()
    assert line.client.ttl(facts_key("probe")) > 10
    line.client.flushall()
    born("probe")
    surveyor.publish()
    assert published().workers == 1


def test_a_worker_that_dies_is_seen_without_delay(join: Join, line: Line, published: Any) -> None:
    worker, surveyor = born("probe"), Surveyor(budget=math.inf)
    surveyor.publish()
    assert published().workers == 1
    line.client.delete(WORKER.format(name=worker.name))
    surveyor.publish()
    assert published().workers == 0


def test_the_facts_of_a_long_line_are_small(join: Join, line: Line) -> None:
    born("probe").set_state(WorkerStatus.BUSY)
    ended(join, *[60.0] * 10)
    with line.client.pipeline() as pipe:
        for number in range(10_000):
            pipe.zadd(line.keys.line, {f"{number:032x}": number})
        pipe.execute()
    Surveyor(budget=math.inf).publish()
    assert line.client.strlen(facts_key("probe")) < 1200
