"""The marks in the charts of a line: each event is noted once, by whoever makes it happen."""

import threading
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.utils import timezone

from queueing import steering
from queueing.history import marks
from queueing.history.books import locked
from queueing.history.rolling import roll_up
from queueing.keeper.reconcile import Reconciler
from queueing.keeper.remembering import Rememberer
from queueing.line import clients, workers
from queueing.line.places import Line as Places
from queueing.line.servers import servers
from queueing.models import Line, LineEvent
from tests.support import past
from tests.support.visitors import staff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

Kind = LineEvent.Kind


def noted(queue: str = "probe") -> list[tuple[str, str]]:
    return list(LineEvent.objects.filter(queue=queue).values_list("kind", "detail"))


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        ("open", "paused", [Kind.PAUSED]),
        ("paused", "stopped", [Kind.CLOSED]),
        ("open", "stopped", [Kind.CLOSED, Kind.PAUSED]),
        ("stopped", "open", [Kind.OPENED, Kind.RESUMED]),
        ("closed", "paused", [Kind.OPENED, Kind.PAUSED]),
        ("closed", "closed", []),
    ],
)
def test_a_change_of_the_state_is_told_by_what_it_does(before: str, after: str, kinds: list[str]) -> None:
    marks.note_state("probe", before, after, "anna")
    assert noted() == [(kind, "by anna") for kind in kinds]


def test_the_command_the_admin_and_the_keeper_note_the_state() -> None:
    steering.steer("probe", steering.pause, "Paused.")
    steering.steer("probe", steering.tell, "A sentence.")
    assert noted() == [(Kind.PAUSED, "by command line")]
    steerer = staff("view_line", "change_line")
    pk = Line.of("probe").pk
    data = {"initial-state": "paused", "state": "closed", "sentence": "", "initial-sentence": ""}
    steerer.client.post(f"/admin/queueing/line/{pk}/change/", data)
    assert [kind for kind, _ in noted()[1:]] == [Kind.CLOSED, Kind.RESUMED]
    assert noted()[1][1].startswith("by user-")
    Line.objects.filter(pk=pk).update(opens_at=timezone.now() - timedelta(seconds=1))
    assert steering.open_due("probe")
    assert noted()[-1] == (Kind.OPENED, "by keeper")


def test_a_refused_change_leaves_no_mark(valkey: redis.Redis) -> None:
    valkey.config_set("maxmemory", 1)
    try:
        with pytest.raises(clients.RedisError):
            steering.steer("probe", steering.pause, "Paused.")
    finally:
        valkey.config_set("maxmemory", 0)
    assert noted() == []


def test_a_new_version_is_noted_once_however_many_keepers_start(settings: Any) -> None:
    keeper = Rememberer()
    assert (keeper.mark(), keeper.mark()) == (len(settings.QUEUEING_TASKS), 0)
    Rememberer().mark()
    version = marks.version()
    assert noted() == [(Kind.DEPLOYED, version)]
    settings.QUEUEING = {"LOST_GRACE": 4711}
    assert marks.version() != version
    Rememberer().mark()
    assert len(noted()) == len(noted("tables")) == 2
    settings.QUEUEING = {}
    Rememberer().mark()
    assert noted()[-1] == noted()[0] == (Kind.DEPLOYED, version)  # back to the version of before
    assert len(noted()) == 3


def test_a_keeper_of_the_old_version_notes_it_no_more_when_the_new_one_runs(settings: Any) -> None:
    """Both run for a while in a rollout, and RQ's word changes meanwhile."""
    old = Rememberer()
    old.mark()
    settings.QUEUEING = {"LOST_GRACE": 4711}
    new = Rememberer()
    new.mark()
    workers.suspend()
    old.mark(), new.mark()
    workers.resume()
    new.mark(), old.mark()
    kinds = [kind for kind, _ in noted()]
    assert kinds == [Kind.DEPLOYED, Kind.DEPLOYED, Kind.SUSPENDED, Kind.UNSUSPENDED]
    assert noted()[1] == (Kind.DEPLOYED, marks.version())


def test_rqs_word_to_all_workers_is_noted_in_every_line() -> None:
    keeper = Rememberer()
    keeper.mark()
    LineEvent.objects.exclude(kind=Kind.DEPLOYED).delete()
    workers.suspend()
    keeper.mark(), keeper.mark(), Rememberer().mark()
    workers.resume()
    keeper.mark(), Rememberer().mark()
    for queue in settings.QUEUEING_TASKS:
        assert [kind for kind, _ in noted(queue)][1:] == [Kind.SUSPENDED, Kind.UNSUSPENDED]


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite locks the whole database")
def test_a_line_that_another_keeper_has_locked_is_noted_later(settings: Any) -> None:
    """That keeper may have been stopped in mid-transaction."""
    Rememberer().mark()
    LineEvent.objects.all().delete()
    keeper = Rememberer()
    has_locked, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        with locked(["probe"]):
            has_locked.set()
            may_go.wait(20)
        connection.close()

    other = threading.Thread(target=hold)
    other.start()
    try:
        assert has_locked.wait(20)
        assert keeper.mark() == len(settings.QUEUEING_TASKS) - 1
        assert (noted(), len(noted("tables"))) == ([], 1)
        settings.QUEUEING = {"LOST_GRACE": 4711}
        Rememberer().mark()
    finally:
        may_go.set()
        other.join()
    keeper.mark()
    assert (len(noted()), len(noted("tables"))) == (1, 2)  # not once more in the other line, beside the new version


def test_a_flush_is_noted_once_with_the_places_that_came_back(join: Any, line: Places, monkeypatch: Any) -> None:
    monkeypatch.setattr("queueing.keeper.reconcile.FLUSH_PAUSE", 0)
    join(), join()
    reconciler = Reconciler()
    reconciler.look_at_server(servers()[0])
    reconciler.reconcile(line)
    assert noted() == []
    line.client.flushall()
    assert reconciler.reconcile(line) == 2
    marks.note_flush("probe", 2)  # by a second keeper
    assert noted() == [(Kind.FLUSHED, "2 places came back")]


def test_old_events_go_but_those_that_say_how_it_is_now(settings: Any) -> None:
    old = timezone.now() - timedelta(days=40)
    for kind in (Kind.DEPLOYED, Kind.DEPLOYED, Kind.PAUSED, Kind.SUSPENDED):
        LineEvent.objects.create(queue="probe", kind=kind, at=old)
    LineEvent.objects.create(queue="probe", kind=Kind.RESUMED)
    past.fill("probe", timezone.now().replace(second=0, microsecond=0), 1)
    assert roll_up(until=float("inf"))
    assert [kind for kind, _ in noted()] == [Kind.DEPLOYED, Kind.SUSPENDED, Kind.RESUMED]
