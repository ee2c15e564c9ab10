"""Rows against places: what a flush of Redis, a lost place or a deleted row leaves behind, and how it is mended."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.utils import timezone

from queueing import ending
from queueing.keeper import reconcile
from queueing.keeper.round import Keeper
from queueing.line import epoch, keys, presence
from queueing.line.places import Line
from queueing.line.queue import LineQueue
from queueing.models import Entry, EntryEvent, LineEvent
from queueing.policy import LAST
from queueing.states import Status
from queueing.testing.presence import go, watch_since
from tests.support.epochs import end_pause, set_epoch
from tests.support.probe import probe
from tests.support.waiting import wait_for

pytestmark = pytest.mark.postgres

Join = Callable[..., Entry]
Three = tuple[Entry, Entry, Entry]


def compare_now(keeper: Keeper) -> None:
    """The next round compares rows with places."""
    keeper.reconciler._compared_at.clear()


def test_a_flush_loses_nobody_and_no_order(keeper: Keeper, join: Join, line: Line, valkey: redis.Redis) -> None:
    entries = [join(str(number)) for number in range(10)]
    keeper.round()
    valkey.flushall()
    assert keeper.round()["restored"] == 0  # first the pages beat
    end_pause(keeper)
    assert keeper.round()["restored"] == 10
    assert line.ids() == [entry.job_id for entry in entries]
    assert keeper.round()["held"] == 10  # restoring sets no presence
    presence.beat("probe", [entry.job_id for entry in reversed(entries)], 10)
    assert line.ids() == [entry.job_id for entry in entries]
    assert EntryEvent.objects.filter(kind="restored").count() == 10


def test_nobody_who_joins_after_a_flush_is_served_before_those_who_were_there(
    keeper: Keeper, join: Join, line: Line, valkey: redis.Redis
) -> None:
    first = join("first")
    valkey.flushall()
    newcomer = join("newcomer")
    assert line.claim("w1") == (None, 0)  # no keeper has seen the flush yet
    keeper.round()
    assert line.claim("w1") == (None, 0)
    presence.beat("probe", [first.job_id], 10)
    end_pause(keeper)
    keeper.round()
    assert line.claim("w1").job_id == first.job_id
    assert line.claim("w2").job_id == newcomer.job_id


@pytest.fixture
def polling(keeper: Keeper, join: Join, line: Line, valkey: redis.Redis) -> Three:
    """After a flush: an entry whose page polls, and is away until then; one with a socket; and a newcomer."""
    polls, beats = join("polls"), join("beats")
    valkey.flushall()
    keeper.round()
    newcomer = join("newcomer")
    presence.beat("probe", [beats.job_id], 10)
    end_pause(keeper)
    keeper.round()
    return polls, beats, newcomer


def test_a_newcomer_does_not_overtake_a_page_that_polls(polling: Three, line: Line) -> None:
    polls, beats, newcomer = polling
    assert line.claim("w1").job_id == beats.job_id  # those who were there wait for nobody
    assert line.claim("w2").job_id is None
    assert line.epoch_wait.is_on
    assert line.ids() == [newcomer.job_id]
    presence.beat("probe", [polls.job_id], 10)
    assert line.claim("w2").job_id == polls.job_id
    assert line.claim("w3").job_id == newcomer.job_id
    assert not line.epoch_wait.is_on


def test_newcomers_wait_for_the_absent_for_a_while_only(polling: Three, line: Line, valkey: redis.Redis) -> None:
    _, beats, newcomer = polling
    assert 0 < valkey.pttl(line.keys.newest) <= 1000 * epoch.PATIENCE
    assert line.claim("w1").job_id == beats.job_id
    valkey.delete(line.keys.newest)
    assert line.claim("w2").job_id == newcomer.job_id


@pytest.mark.parametrize("priority", [-3, 0, 3])
def test_newcomers_are_told_from_the_place_and_not_from_the_priority(
    keeper: Keeper, join: Join, line: Line, valkey: redis.Redis, priority: int
) -> None:
    last, polls = join("last"), join("polls")
    Entry.objects.filter(pk=last.pk).update(priority=-5)  # the last in the line, with an earlier place
    Entry.objects.filter(pk=polls.pk).update(priority=priority)
    valkey.flushall()
    keeper.round()
    end_pause(keeper)
    keeper.round()
    newcomer = join("newcomer")
    valkey.zadd(line.keys.line, {newcomer.job_id: newcomer.score - priority * 2**40})
    assert line.claim("w1").job_id is None
    presence.beat("probe", [last.job_id, polls.job_id], 10)
    claimed = [line.claim(f"w{number}").job_id for number in range(3)]
    assert claimed == [polls.job_id, newcomer.job_id, last.job_id]


def test_an_earlier_entry_behind_the_others_is_served_before_a_newcomer_that_waits(
    keeper: Keeper, join: Join, line: Line, valkey: redis.Redis
) -> None:
    polls, behind = join("polls"), join("behind")
    Entry.objects.filter(pk=behind.pk).update(behind=True, priority=LAST)
    valkey.flushall()
    keeper.round()
    end_pause(keeper)
    keeper.round()
    presence.beat("probe", [behind.job_id], 10)
    newcomer = join("newcomer")
    assert line.claim("w1").job_id == behind.job_id
    assert line.claim("w2").job_id is None
    presence.beat("probe", [polls.job_id], 10)
    assert [line.claim(f"w{number}").job_id for number in (3, 4)] == [polls.job_id, newcomer.job_id]


def test_a_worker_goes_on_when_newcomers_have_waited_long_enough(
    polling: Three, line: Line, queue: LineQueue, valkey: redis.Redis
) -> None:
    """Nobody wakes it. In burst mode it would end, with work left."""
    _, beats, newcomer = polling
    queue.worker_name = "w1"
    assert line.claim("w2").job_id == beats.job_id
    valkey.pexpire(line.keys.newest, 1000)
    job, _ = queue.dequeue_any([queue], None, valkey) or (None, None)
    assert job is not None
    assert job.id == newcomer.job_id


def test_a_foreign_job_does_not_wait_with_the_newcomers(polling: Three, line: Line, queue: LineQueue) -> None:
    _, beats, newcomer = polling
    queue.enqueue("tests.support.foreign.note", "x", job_id="foreign")
    assert [line.claim(f"w{number}").job_id for number in range(3)] == [beats.job_id, "foreign", None]
    assert line.ids() == [newcomer.job_id]


@pytest.mark.usefixtures("polling")
def test_newcomers_go_on_when_the_keeper_dies_after_a_flush(join: Join, line: Line, valkey: redis.Redis) -> None:
    """It sees one more flush, and dies before it has restored the places."""
    valkey.flushall()
    Keeper().round()
    late = join("late")
    assert line.claim("w1").job_id is None
    assert line.epoch_wait._since is not None
    line.epoch_wait._since -= epoch.PATIENCE
    assert line.claim("w1").job_id == late.job_id


def test_two_keepers_and_two_flushes_keep_the_order(join: Join, line: Line, valkey: redis.Redis) -> None:
    """The one that did not restore must not take the pause after the second flush for over."""
    keepers = Keeper(), Keeper()
    first = join("first")
    for number in range(2):
        valkey.flushall()
        newcomer = join(f"newcomer {number}")
        for keeper in keepers:
            keeper.round()
        assert line.claim("w1") == (None, 0)
        presence.beat("probe", [first.job_id], 10)
        for keeper in keepers:
            end_pause(keeper)
            keeper.round()
        assert line.ids()[0] == first.job_id
        ending.leave(newcomer)


def test_a_line_that_has_never_had_an_entry_is_new_and_not_flushed(
    keeper: Keeper, line: Line, valkey: redis.Redis, join: Join, caplog: pytest.LogCaptureFixture
) -> None:
    """Staff would read of an emptied Redis that nobody has emptied."""
    caplog.set_level(logging.INFO, "queueing")
    for expected in (False, True):
        valkey.flushall()
        wait_for(lambda: keeper.round() is not None and not keeper.reconciler.is_restoring(line))
        assert ("probe: Redis is empty" in caplog.text) == expected
        assert LineEvent.objects.filter(queue="probe", kind=LineEvent.Kind.FLUSHED).exists() == expected
        join("first")


def test_a_second_flush_begins_the_pause_anew(keeper: Keeper, join: Join, line: Line, valkey: redis.Redis) -> None:
    first = join("first")
    valkey.flushall()
    keeper.round()
    end_pause(keeper)
    valkey.flushall()  # the pages have not beaten since
    join("newcomer")
    keeper.round()
    assert line.claim("w1") == (None, 0)
    presence.beat("probe", [first.job_id], 10)
    end_pause(keeper)
    keeper.round()
    assert line.claim("w1").job_id == first.job_id


def test_a_flush_during_the_comparison_begins_no_epoch(
    keeper: Keeper, join: Join, line: Line, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    join()
    valkey.flushall()
    keeper.round()
    end_pause(keeper)
    compare = keeper.reconciler.compare
    monkeypatch.setattr(keeper.reconciler, "compare", lambda line: (compare(line), valkey.flushall())[0])
    keeper.round()
    assert epoch.read_epoch(valkey, "probe") == ""
    assert line.ids() == []
    monkeypatch.undo()
    keeper.round()
    end_pause(keeper)
    keeper.round()
    assert len(line.ids()) == 1


def test_nobody_is_dropped_by_an_old_copy(keeper: Keeper, join: Join, line: Line, valkey: redis.Redis) -> None:
    """In the copy somebody who is back is still held, for too long."""
    entry = join()
    go(entry)
    keeper.round()
    assert line.held_ids() == [entry.job_id]
    watch_since(10_000)
    valkey.zadd(line.keys.due, {entry.job_id: 1})
    set_epoch(valkey, "probe", "the server before")
    assert keeper.round()["dropped"] == 0
    presence.beat("probe", [entry.job_id], 10)
    end_pause(keeper)
    keeper.round()
    keeper.round()
    assert line.ids() == [entry.job_id]


def test_the_watch_begins_anew_on_a_server_with_an_old_copy(
    keeper: Keeper, join: Join, line: Line, valkey: redis.Redis
) -> None:
    entry = join()
    go(entry)
    keeper.round()
    watch_since(10_000)
    valkey.zadd(line.keys.due, {entry.job_id: 1})
    set_epoch(valkey, "probe", "the server before")
    keeper.round()
    assert not valkey.exists(keys.WATCH)  # web processes see that within a second, and beat
    end_pause(keeper)
    keeper.round()
    assert epoch.read_epoch(valkey, "probe") == epoch.run_id(valkey)
    assert keeper.round()["dropped"] == 0
    presence.beat("probe", [entry.job_id], 10)
    assert line.ids() == [entry.job_id]


def test_nobody_passes_those_who_could_not_beat_while_there_was_no_primary(
    keeper: Keeper, join: Join, line: Line, valkey: redis.Redis
) -> None:
    """All have their places in the copy. The page of the second was quicker to connect again."""
    first, second = join(), join()
    keeper.round()
    go(first)
    set_epoch(valkey, "probe", "the server before")
    keeper.round()
    newcomer = join()
    assert line.claim("w1").job_id is None
    presence.beat("probe", [first.job_id], 10)
    end_pause(keeper)
    keeper.round()
    assert line.claim("w1").job_id == first.job_id
    assert line.claim("w2").job_id == second.job_id
    assert line.claim("w3").job_id == newcomer.job_id


def test_nobody_is_dropped_by_a_server_that_has_taken_over_within_a_round(
    join: Join, line: Line, valkey: redis.Redis
) -> None:
    entry = join()
    go(entry)
    Keeper().hold(line)
    watch_since(10_000)
    valkey.zadd(line.keys.due, {entry.job_id: 1})
    set_epoch(valkey, "probe", "0" * 40)
    assert Keeper().drop(line) == 0
    set_epoch(valkey, "probe", epoch.run_id(valkey))
    assert Keeper().drop(line) == 1


def test_a_line_without_rows_has_an_epoch_at_once(keeper: Keeper, join: Join, line: Line, valkey: redis.Redis) -> None:
    valkey.flushall()
    keeper.round()
    entry = join()
    assert line.claim("w1").job_id == entry.job_id


def test_places_come_back_in_the_order_of_the_line(
    keeper: Keeper, join: Join, line: Line, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker may claim between two batches: nobody may be there before those ahead."""
    monkeypatch.setattr("queueing.keeper.reconcile.WINDOW", 1)
    entries = [join(str(number)) for number in range(12)]
    Entry.objects.filter(pk=entries[-1].pk).update(priority=5)
    valkey.flushall()
    assert keeper.reconciler.compare(line) == (0, 0)
    assert keeper.reconciler.compare(line) == (12, 0)
    restored = EntryEvent.objects.filter(kind="restored").order_by("id").values_list("entry__code", flat=True)
    assert [code.hex for code in restored] == line.ids()
    assert line.ids()[0] == entries[-1].job_id


def test_an_entry_that_needs_no_presence_has_it_again_after_a_flush(
    keeper: Keeper, line: Line, valkey: redis.Redis
) -> None:
    result = probe.using(backend="unattended").enqueue()
    entry = Entry.objects.get(code=result.id)
    valkey.flushall()
    keeper.round()
    end_pause(keeper)
    keeper.round()
    assert line.claim("w1") == (entry.job_id, 0)


def test_a_row_without_a_place_gets_one(keeper: Keeper, join: Join, line: Line) -> None:
    entry = join()
    line.remove(entry.job_id)
    assert keeper.round()["restored"] == 0  # it might be on its way into the line
    compare_now(keeper)
    assert keeper.round()["restored"] == 1
    assert line.count_entries() == 1


def test_the_clock_of_the_web_host_does_not_matter(keeper: Keeper, join: Join, line: Line, valkey: redis.Redis) -> None:
    """A host whose clock is five minutes ahead: after a flush its entries come back like all others."""
    entry = join()
    Entry.objects.update(joined_at=timezone.now() + timedelta(minutes=5))
    valkey.flushall()
    keeper.round()
    end_pause(keeper)
    assert keeper.round()["restored"] == 1
    assert line.ids() == [entry.job_id]


def test_another_server_with_an_old_copy_is_noticed_although_the_numbers_agree(
    keeper: Keeper, join: Join, line: Line
) -> None:
    """A failover to a replica that lagged behind: one ghost, and one row without a place."""
    keeper.round()
    ghost, lost = join(), join()
    keeper.round()  # rows and places agree: the next comparison would be a minute away
    Entry.objects.filter(pk=ghost.pk).update(status=Status.CANCELLED)
    line.remove_place(lost.job_id)
    set_epoch(line.client, "probe", "the server before")
    assert keeper.round()["restored"] == 0
    assert line.claim("w1").job_id is None
    end_pause(keeper)
    assert keeper.round()["restored"] == 1
    assert line.ids() == [lost.job_id]


def test_a_place_without_a_waiting_row_goes_and_a_foreign_job_stays(
    keeper: Keeper, join: Join, line: Line, queue: LineQueue
) -> None:
    entry, gone = join("ended"), join("deleted")
    Entry.objects.filter(pk=entry.pk).update(status=Status.CANCELLED)
    Entry.objects.filter(pk=gone.pk).delete()
    queue.enqueue("tests.support.foreign.note", "x", job_id="foreign")
    foreign_uuid = queue.enqueue("tests.support.foreign.note", "x", job_id="0" * 32)
    assert line.claim("w1")[0] == entry.job_id  # moves the inbox into the line
    line.release("w1", entry.job_id)
    keeper.round()
    assert set(line.ids()) == {"foreign", foreign_uuid.id}


def test_a_longer_hold_outlives_a_flush(
    keeper: Keeper, join: Join, line: Line, valkey: redis.Redis, settings: Any
) -> None:
    entry = join()
    assert ending.keep(entry)
    valkey.flushall()
    keeper.round()
    end_pause(keeper)
    keeper.round()
    assert line.held_ids() == []
    go(entry)
    keeper.round()
    seconds, _ = valkey.time()
    due = valkey.zscore(line.keys.due, entry.job_id)
    assert due is not None
    assert due / 1000 - seconds > 1700


def test_a_requeue_gives_an_entry_neither_presence_nor_another_place(keeper: Keeper, join: Join, line: Line) -> None:
    entry, last = join(), join("last")
    go(entry)
    go(last)
    line.client.zrem(line.keys.line, entry.job_id)
    line.client.rpush("rq:queue:probe", entry.job_id)
    assert line.claim("w1") == (None, 1)  # at the end of the line it would have been passed, too
    assert not presence.is_present(entry.queue, entry.job_id)
    assert line.held_ids() == [last.job_id]
    for _ in range(2):
        keeper.reconciler.compare(line)
    assert line.ids() == [entry.job_id]
    assert presence.beat("probe", [last.job_id], 10) == [last.job_id]
    assert line.ids() == [entry.job_id, last.job_id]


def test_all_rows_of_a_window_get_their_places_with_the_same_queries(
    keeper: Keeper, join: Join, line: Line, django_assert_num_queries: Any
) -> None:
    """No column of a place is read by a query of its own."""
    entries = [join(str(number)) for number in range(3)]
    Entry.objects.filter(attempt=0).update(attempt=1)
    for number in (1, 3):
        line.client.flushall()
        with django_assert_num_queries(2):  # the rows, and their timelines
            assert reconcile.restore(line, [entry.job_id for entry in entries[:number]]) == number
