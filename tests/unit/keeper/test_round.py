"""The keeper's round, step by step; time moves by data."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import InterfaceError
from django.db.models.functions import Now
from django.utils import timezone

from queueing.keeper import holding, timeline
from queueing.keeper.round import SESSIONS_INTERVAL, Keeper
from queueing.line import keys, presence
from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Absence, Reason, Status
from queueing.testing.presence import go, watch_since

pytestmark = pytest.mark.postgres

Join = Callable[..., Entry]


def overdue(line: Line, entry: Entry) -> None:
    line.client.zadd(line.keys.due, {entry.job_id: 1})


def test_a_round_holds_absent_entries_and_leaves_a_sign_of_life(keeper: Keeper, join: Join, line: Line) -> None:
    stays, goes = join("stays"), join("goes")
    go(goes)
    counts = keeper.round()
    assert counts["held"] == 1
    assert line.ids() == [stays.job_id]
    assert line.held_ids() == [goes.job_id]
    assert line.client.exists(keys.KEEPER)


def test_nobody_is_held_while_pages_come_back_to_a_new_web_process(keeper: Keeper, join: Join, line: Line) -> None:
    """They could not beat while there was none."""
    away = join("away")
    go(away)
    line.client.set(keys.RETURNING, "1")
    assert keeper.round()["held"] == 0
    line.client.delete(keys.RETURNING)
    assert keeper.round()["held"] == 1


def test_a_long_line_is_held_in_several_rounds(
    keeper: Keeper, join: Join, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round that has no time left goes on where the one before stopped, also behind those who are present."""
    monkeypatch.setattr(holding, "WINDOW", 2)
    monkeypatch.setattr("queueing.keeper.round.HOLD_BUDGET", 0)
    entries = [join(str(number)) for number in range(7)]
    for number in (2, 4, 6):
        go(entries[number])
    assert [keeper.round()["held"] for _ in range(4)] == [0, 1, 1, 1]
    assert line.held_ids() == [entries[number].job_id for number in (2, 4, 6)]
    go(entries[0])
    assert sum(keeper.round()["held"] for _ in range(3)) == 1


def test_the_entries_of_dead_workers_come_back_in_several_rounds(
    keeper: Keeper, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one whose lease ran out first is the first."""
    monkeypatch.setattr("queueing.keeper.round.SETTLE_BUDGET", 0)
    entries = [join(str(number)) for number in range(3)]
    for number, entry in enumerate(entries):
        assert entry.start("worker")
        Entry.objects.filter(pk=entry.pk).update(lease_until=Now() - timedelta(seconds=10 + number))
    for entry in reversed(entries):
        assert keeper.round()["orphaned"] == 1
        entry.refresh_from_db()
        assert entry.status == Status.WAITING
    assert keeper.round()["orphaned"] == 0


def test_an_entry_held_for_too_long_is_dropped(keeper: Keeper, join: Join, line: Line) -> None:
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


def test_a_visitor_who_came_back_in_the_last_moment_is_not_dropped(keeper: Keeper, join: Join, line: Line) -> None:
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


def test_leases_are_left_alone_for_one_renewal_after_the_spare_leases(keeper: Keeper, join: Join) -> None:
    entry = join()
    entry.start("worker")
    Entry.objects.update(lease_until=Now() - timedelta(seconds=1))
    keeper.spare_leases()
    assert keeper.recover_leases() == 0


def test_timelines_tell_of_holds_and_returns(keeper: Keeper, join: Join) -> None:
    entry = join()
    presence.close("probe", entry.job_id, Absence.CLOSED)
    presence.beat("probe", [entry.job_id], 10)
    keeper.round()
    assert [(event.kind, event.detail) for event in entry.events.all()] == [("held", "closed"), ("back", "")]


def test_two_keepers_do_no_harm(keeper: Keeper, join: Join, line: Line) -> None:
    entry = join()
    presence.close("probe", entry.job_id, Absence.CLOSED)
    overdue(line, entry)
    watch_since(1000)
    assert keeper.drop(line) + Keeper().drop(line) == 1


def test_results_past_their_time_are_purged(keeper: Keeper, join: Join) -> None:
    entry = join()
    stored = entry.input
    assert stored.name
    entry.cancel()
    Entry.objects.update(finished_at=timezone.now() - timedelta(hours=2))
    assert keeper.round()["purged"] == 1
    assert not stored.storage.exists(stored.name)
    assert not Entry.objects.exists()


def test_expired_sessions_are_deleted_once_an_hour(keeper: Keeper) -> None:
    over, kept = SessionStore(), SessionStore()
    for session, seconds in ((over, -1), (kept, 60)):
        session["visitor"] = "x"
        session.set_expiry(seconds)
        session.create()
    Session.objects.filter(pk=over.session_key).update(expire_date=timezone.now() - timedelta(seconds=1))
    assert keeper.round()["sessions deleted"] == 1
    assert list(Session.objects.values_list("pk", flat=True)) == [kept.session_key]
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert keeper.round()["sessions deleted"] == 0
    keeper._sessions_at -= SESSIONS_INTERVAL
    assert keeper.round()["sessions deleted"] == 1


def test_a_step_that_fails_does_not_stop_the_others(keeper: Keeper, join: Join, line: Line) -> None:
    gone = join()
    go(gone)
    line.client.rpush(line.keys.notes, "no:number")  # what write_notes cannot read
    assert keeper.round()["held"] == 1
    assert line.client.exists(keys.KEEPER)


def raise_closed(*_: Any) -> int:
    raise InterfaceError("connection already closed")


def test_a_closed_connection_in_one_line_does_not_keep_the_others_waiting(
    keeper: Keeper, join: Join, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django's InterfaceError is no DatabaseError. The round tells of it at its end."""
    gone = join()
    go(gone)
    hold = keeper.hold
    monkeypatch.setattr(keeper, "hold", lambda each: hold(each) if each.name == "probe" else raise_closed())
    with pytest.raises(InterfaceError):
        keeper.round()
    assert line.held_ids() == [gone.job_id]


def test_notes_that_a_closed_connection_does_not_take_are_written_later(
    keeper: Keeper, join: Join, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = join()
    presence.close("probe", entry.job_id, Absence.CLOSED)
    with monkeypatch.context() as patch:
        patch.setattr(timeline, "_write", raise_closed)
        with pytest.raises(InterfaceError):
            timeline.write_notes(line)
    assert timeline.write_notes(line) == 1
    assert [event.kind for event in entry.events.all()] == ["held"]


def test_leases_are_left_alone_after_a_sleep_of_the_machine(keeper: Keeper, join: Join) -> None:
    entry = join()
    entry.start("worker")
    Entry.objects.update(lease_until=Now() - timedelta(seconds=1))
    keeper._round_at -= 300
    assert keeper.round()["orphaned"] == 0
