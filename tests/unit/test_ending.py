"""Leaving, keeping a place, being dropped, and what becomes of an orphan."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import redis
from django.db.models.functions import Now

from queueing import ending
from queueing.line import presence
from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Absence, Status
from tests.support.epochs import begin_epochs
from tests.support.probe import probe

Join = Callable[..., Entry]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


def test_leaving_twice_or_too_late_changes_nothing(join: Join) -> None:
    entry = join()
    stale = Entry.objects.get()
    ending.leave(entry)
    ending.leave(stale)
    assert Entry.objects.get().status == Status.CANCELLED


def test_leaving_while_a_start_is_first_stops_the_running_entry(join: Join) -> None:
    entry = join()
    Entry.objects.get().start("w1")
    ending.leave(entry)  # it had read "waiting"
    assert Entry.objects.get().status == Status.CANCELLED


def test_a_kept_place_has_the_longer_clock(join: Join, line: Line) -> None:
    entry = join()
    assert ending.keep(entry)
    presence.close("probe", entry.job_id, Absence.CLOSED)
    seconds, _ = line.client.time()
    due = line.client.zscore(line.keys.due, entry.job_id)
    assert due is not None
    assert due / 1000 - seconds > 1700
    assert [event.kind for event in entry.events.all()] == ["kept"]


def test_a_task_that_does_not_allow_it_keeps_nothing(join: Join) -> None:
    entry = join()
    Entry.objects.update(queue="tables")
    assert not ending.keep(Entry.objects.get(pk=entry.pk))


def test_only_what_waits_is_dropped(join: Join) -> None:
    waiting, running = join(), join()
    running.start("w1")
    assert ending.drop("probe", [waiting.job_id, running.job_id], Absence.LOST) == 1
    running.refresh_from_db()
    assert running.status == Status.RUNNING


def test_an_orphan_whose_claim_is_still_there_goes_back_once(join: Join, line: Line) -> None:
    entry = join()
    line.claim("w1")
    entry.start("w1")  # and the worker died before it cleared the claim
    assert ending.settle_orphan(entry, "died")
    assert line.claims() == {}
    assert line.ids() == [entry.job_id]


def test_an_outage_of_redis_keeps_no_orphan_from_its_turn(join: Join, line: Line, valkey: redis.Redis) -> None:
    """The keeper settles all of them, and goes on to its other duties; the places come back with Redis."""
    orphans = [join("a"), join("b")]
    for entry in orphans:
        line.claim("w1")
        entry.start("w1")
    Entry.objects.update(lease_until=Now() - timedelta(seconds=1))
    valkey.config_set("maxmemory", 1)
    try:
        assert ending.settle_orphans() == 2
    finally:
        valkey.config_set("maxmemory", 0)
    assert {entry.status for entry in Entry.objects.all()} == {Status.WAITING}


def test_a_lease_renewed_in_the_last_moment_is_not_taken(join: Join) -> None:
    entry = join()
    entry.start("worker")
    Entry.objects.update(lease_until=Now() - timedelta(seconds=1))
    listed = Entry.objects.lease_over().get()
    assert entry.renew_lease()
    assert not ending.settle_orphan(listed, "too late", overdue=True)
    assert Entry.objects.get().status == Status.RUNNING


def test_an_unattended_orphan_is_in_the_line_after_a_flush(line: Line, valkey: redis.Redis) -> None:
    entry = Entry.objects.get(code=probe.using(backend="unattended").enqueue().id)
    entry.start("worker")
    valkey.flushall()
    assert ending.settle_orphan(entry, "died")
    begin_epochs(valkey)
    assert line.claim("w1") == (entry.job_id, 0)
