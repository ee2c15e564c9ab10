"""The keeper's round, step by step; time moves by data."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db.models.functions import Now
from django.utils import timezone

from queueing import ending
from queueing.keeper import reconcile
from queueing.keeper.round import Keeper
from queueing.line import keys, presence
from queueing.line.places import Line
from queueing.line.queue import LineQueue
from queueing.models import Entry, EntryEvent
from queueing.states import Absence, Reason, Status
from tests.support.presence import go, watch_since
from tests.support.probe import probe

Join = Callable[..., Entry]


@pytest.fixture
def keeper(db: None) -> Keeper:
    made = Keeper()
    made._no_leases_before = 0
    made.client.set("queueing:epoch", 1)  # no flush has just happened
    return made


def overdue(line: Line, entry: Entry) -> None:
    line.client.zadd(line.keys.due, {entry.job_id: 1})


def old(*entries: Entry) -> None:
    """Joined so long ago that they are no longer on their way into the line."""
    Entry.objects.filter(pk__in=[entry.pk for entry in entries]).update(joined_at=timezone.now() - timedelta(minutes=1))


def test_it_works(keeper: Keeper, join: Join, line: Line) -> None:
    stays, goes = join("stays"), join("goes")
    go(goes)
    counts = keeper.round()
    assert counts["held"] == 1
    assert line.ids() == [stays.job_id]
    assert line.held_ids() == [goes.job_id]
    assert line.client.exists(keys.KEEPER)


def test_who_is_held_for_too_long_is_dropped(keeper: Keeper, join: Join, line: Line) -> None:
    entry = join()
    presence.close("probe", entry.job_id, Absence.CLOSED)
    overdue(line, entry)
    watch_since(1000)
    assert keeper.round()["dropped"] == 1
    entry.refresh_from_db()
    assert (entry.status, entry.reason) == (Status.ABANDONED, Reason.CLOSED)
    assert entry.finished_at is not None
    assert not line.client.exists(f"rq:job:{entry.job_id}")
    assert line.count_entries() == 0


def test_nobody_is_dropped_while_the_web_tier_is_away_or_young(keeper: Keeper, join: Join, line: Line) -> None:
    entry = join()
    go(entry)
    keeper.round()
    overdue(line, entry)
    assert keeper.round()["dropped"] == 0  # no watch
    watch_since(1)
    assert keeper.round()["dropped"] == 0  # a young one
    watch_since(1000)
    assert keeper.round()["dropped"] == 1


def test_who_came_back_in_the_last_moment_is_not_dropped(keeper: Keeper, join: Join, line: Line) -> None:
    entry = join()
    presence.close("probe", entry.job_id, Absence.CLOSED)
    overdue(line, entry)
    watch_since(1000)
    line.client.set(keys.PRESENCE.format(job_id=entry.job_id), 1, px=60_000)
    assert keeper.round()["dropped"] == 0
    assert line.ids() == [entry.job_id]


def test_a_claim_that_was_not_started_goes_back_to_its_place(
    keeper: Keeper, join: Join, line: Line, settings: Any
) -> None:
    first, second = join("first"), join("second")
    line.claim("dead worker")
    assert keeper.round()["claims returned"] == 0
    job_id, score, _ = line.claims()["dead worker"]
    line.client.hset(line.keys.claims, "dead worker", f"{job_id}:{score}:1")
    assert keeper.round()["claims returned"] == 1
    assert line.ids() == [first.job_id, second.job_id]


def test_a_claim_made_since_the_keeper_looked_stays(
    keeper: Keeper, join: Join, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = join("first"), join("second")
    line.claim("worker")
    first.start("worker")
    line.client.hset(line.keys.claims, "worker", f"{first.job_id}:{first.score}:1")
    seen = line.claims()
    line.end_claim("worker", first.job_id)
    assert line.claim("worker")[0] == second.job_id
    with monkeypatch.context() as patch:
        patch.setattr(line, "claims", lambda: seen)
        keeper.recover_claims(line)
    assert line.claims()["worker"][0] == second.job_id
    line.client.hset(line.keys.claims, "worker", f"{first.job_id}:{first.score}:1")
    keeper.recover_claims(line)
    assert not line.claims()


def test_a_lease_that_ran_out_brings_the_entry_back_once_and_then_fails_it(
    keeper: Keeper, join: Join, line: Line
) -> None:
    entry = join()
    other = join("other")
    for attempt in (1, 2):
        line.claim("worker")
        entry.refresh_from_db()
        assert entry.start("worker")
        line.end_claim("worker", entry.job_id)
        assert entry.attempt == attempt
        Entry.objects.filter(pk=entry.pk).update(lease_until=Now() - timedelta(seconds=1))
        assert keeper.round()["orphaned"] == 1
        entry.refresh_from_db()
        if attempt == 1:
            assert (entry.status, entry.reason) == (Status.WAITING, Reason.ORPHANED)
            assert line.ids() == [entry.job_id, other.job_id]
    assert (entry.status, entry.reason) == (Status.FAILED, Reason.ORPHANED)
    assert "unexpectedly" in entry.message
    assert line.ids() == [other.job_id]


def test_leases_are_left_alone_for_one_renewal_after_the_database_was_lost(keeper: Keeper, join: Join) -> None:
    entry = join()
    entry.start("worker")
    Entry.objects.update(lease_until=Now() - timedelta(seconds=1))
    keeper.database_was_lost()
    assert keeper.recover_leases() == 0


def test_a_flush_loses_nobody_and_no_order(keeper: Keeper, join: Join, line: Line, valkey: redis.Redis) -> None:
    entries = [join(str(number)) for number in range(10)]
    old(*entries)
    keeper.round()
    valkey.flushall()
    assert keeper.round()["restored"] == 0  # first the pages beat
    keeper.reconciler._flushed_at -= 3  # type: ignore[operator]
    assert keeper.round()["restored"] == 10
    assert line.ids() == [entry.job_id for entry in entries]
    assert keeper.round()["held"] == 10  # restoring sets no presence
    presence.beat("probe", [entry.job_id for entry in reversed(entries)], 10)
    assert line.ids() == [entry.job_id for entry in entries]
    assert EntryEvent.objects.filter(kind="restored").count() == 10


def test_places_come_back_in_the_order_of_the_line(
    keeper: Keeper, join: Join, line: Line, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker may claim between two batches: nobody may be there before those ahead."""
    monkeypatch.setattr("queueing.keeper.reconcile.WINDOW", 1)
    entries = [join(str(number)) for number in range(12)]
    Entry.objects.filter(pk=entries[-1].pk).update(priority=5)
    old(*entries)
    valkey.flushall()
    assert reconcile.compare(line) == (12, 0)
    restored = EntryEvent.objects.filter(kind="restored").order_by("id").values_list("entry__code", flat=True)
    assert [code.hex for code in restored] == line.ids()
    assert line.ids()[0] == entries[-1].job_id


def test_who_needs_no_presence_has_it_again_after_a_flush(keeper: Keeper, line: Line, valkey: redis.Redis) -> None:
    result = probe.using(backend="unattended").enqueue()
    entry = Entry.objects.get(code=result.id)
    old(entry)
    valkey.flushall()
    keeper.round()
    keeper.reconciler._flushed_at -= 3  # type: ignore[operator]
    keeper.round()
    assert line.claim("w1") == (entry.job_id, 0)


def test_a_row_without_a_place_gets_one(keeper: Keeper, join: Join, line: Line) -> None:
    entry = join()
    old(entry)
    line.remove(entry.job_id)
    assert keeper.round()["restored"] == 1
    assert line.count_entries() == 1


def test_a_row_on_its_way_into_the_line_is_left_alone(keeper: Keeper, join: Join, line: Line) -> None:
    entry = join()
    line.remove(entry.job_id)
    assert keeper.round()["restored"] == 0


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


def test_timelines_tell_of_holds_and_returns(keeper: Keeper, join: Join) -> None:
    entry = join()
    presence.close("probe", entry.job_id, Absence.CLOSED)
    presence.beat("probe", [entry.job_id], 10)
    keeper.round()
    assert [(event.kind, event.detail) for event in entry.events.all()] == [("held", "closed"), ("back", "")]


def test_a_longer_hold_outlives_a_flush(
    keeper: Keeper, join: Join, line: Line, valkey: redis.Redis, settings: Any
) -> None:
    entry = join()
    old(entry)
    assert ending.keep(entry)
    valkey.flushall()
    keeper.round()
    keeper.reconciler._flushed_at -= 3  # type: ignore[operator]
    keeper.round()
    assert line.held_ids() == []
    go(entry)
    keeper.round()
    seconds, _ = valkey.time()
    due = valkey.zscore(line.keys.due, entry.job_id)
    assert due is not None
    assert due / 1000 - seconds > 1700


def test_two_keepers_do_no_harm(keeper: Keeper, join: Join, line: Line) -> None:
    entry = join()
    presence.close("probe", entry.job_id, Absence.CLOSED)
    overdue(line, entry)
    watch_since(1000)
    assert keeper.drop(line) + Keeper().drop(line) == 1


def test_results_past_their_time_are_purged(keeper: Keeper, join: Join) -> None:
    entry = join()
    stored = entry.input
    entry.cancel()
    Entry.objects.update(finished_at=timezone.now() - timedelta(hours=2))
    assert keeper.round()["purged"] == 1
    assert not stored.storage.exists(stored.name)
    assert not Entry.objects.exists()


def test_a_lease_renewed_in_the_last_moment_is_not_taken(join: Join) -> None:
    entry = join()
    entry.start("worker")
    Entry.objects.update(lease_until=Now() - timedelta(seconds=1))
    listed = Entry.objects.lease_over().get()
    assert entry.renew_lease()
    assert not ending.settle_orphan(listed, "too late", overdue=True)
    assert Entry.objects.get().status == Status.RUNNING


def test_an_unattended_orphan_is_in_the_line_after_a_flush(keeper: Keeper, line: Line, valkey: redis.Redis) -> None:
    entry = Entry.objects.get(code=probe.using(backend="unattended").enqueue().id)
    entry.start("worker")
    valkey.flushall()
    assert ending.settle_orphan(entry, "died")
    assert line.claim("w1") == (entry.job_id, 0)


def test_a_step_that_fails_does_not_stop_the_others(keeper: Keeper, join: Join, line: Line) -> None:
    gone = join()
    go(gone)
    line.client.rpush(line.keys.notes, "no:number")  # what write_notes cannot read
    assert keeper.round()["held"] == 1
    assert line.client.exists(keys.KEEPER)


def test_leases_are_left_alone_after_a_sleep_of_the_machine(keeper: Keeper, join: Join) -> None:
    entry = join()
    entry.start("worker")
    Entry.objects.update(lease_until=Now() - timedelta(seconds=1))
    keeper._round_at -= 300
    assert keeper.round()["orphaned"] == 0


def test_a_requeue_gives_an_entry_neither_presence_nor_another_place(keeper: Keeper, join: Join, line: Line) -> None:
    entry, last = join(), join("last")
    old(entry, last)
    go(entry)
    go(last)
    line.client.zrem(line.keys.line, entry.job_id)
    line.client.rpush("rq:queue:probe", entry.job_id)
    assert line.claim("w1") == (None, 1)  # at the end of the line it would have been passed, too
    assert not presence.is_present(entry.job_id)
    assert line.held_ids() == [last.job_id]
    keeper.reconciler.reconcile(line)
    assert line.ids() == [entry.job_id]
    assert presence.beat("probe", [last.job_id], 10) == [last.job_id]
    assert line.ids() == [entry.job_id, last.job_id]
