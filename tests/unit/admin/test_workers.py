"""The page of the workers."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.contrib.admin.models import LogEntry
from rq.suspension import resume, suspend

from queueing.line import clients, commands, workers
from queueing.line.commands import asks_for_quiet
from queueing.line.places import Line
from queueing.line.queue import LineQueue
from queueing.models import Entry
from queueing.work.worker import PresenceWorker
from tests.support.levers import set_levers
from tests.support.visitors import Visitor, staff

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/admin/queueing/entry/workers/"
Join = Callable[..., Entry]


@pytest.fixture
def desk(valkey: redis.Redis) -> PresenceWorker:
    worker = PresenceWorker(["tables", "probe"], name="desk-1", connection=clients.connection())
    worker.register_birth()
    return worker


def rows(visitor: Visitor) -> str:
    now = visitor.client.get(f"{PAGE}now.json").json()
    assert not now["away"]
    return "\n".join(now["parts"].values())


def tell(visitor: Visitor, command: str, worker: str = "desk-1", **more: str) -> Any:
    return visitor.client.post(PAGE, {command: worker} | more, follow=True)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(commands, "send", lambda worker, command, _queue: told.append((worker, command)))
    return told


def test_the_page_says_what_each_worker_does_and_would_take_next(join: Join, line: Line, desk: PresenceWorker) -> None:
    busy, _away, following = join("busy"), join("away"), join("following")
    presence_key = f"presence:{_away.job_id}"
    line.client.delete(presence_key)
    looker = staff("lines", "view")
    page = looker.client.get(PAGE).content.decode()
    for text in ("desk-1", "tables, probe", "probe: busy.csv", "No worker is there"):
        assert (text in page) == (text != "No worker is there")
    busy.start("desk-1")
    line.remove_place(busy.job_id)
    busy.report(0.5, "Half")
    workers.note_end("probe", ["desk-1"], "succeeded")
    workers.note_end("probe", ["desk-1"], "failed")
    now = rows(looker)
    assert f'/admin/queueing/entry/{busy.pk}/change/">busy.csv</a>' in now
    assert "50%" in now
    assert "probe: following.csv" in now  # the one before is away
    runs = looker.client.get(f"{PAGE}now.json").json()["parts"]["desk-1:runs"]
    assert runs == "3 started<small>1 done, 1 failed</small>"
    again = looker.client.get(f"{PAGE}now.json").json()["parts"]["rows"]
    assert again == looker.client.get(f"{PAGE}now.json").json()["parts"]["rows"]  # so its buttons stay
    assert following.is_live
    hidden = rows(staff("lines"))  # they may not see entries
    assert "busy.csv" not in hidden
    assert "following.csv" not in hidden
    assert f"probe: {following.job_id[:8]}" in hidden


def test_a_paused_and_a_quiet_worker_take_nothing(join: Join, desk: PresenceWorker) -> None:
    join()
    looker = staff("view")
    suspend(clients.connection())
    assert "all workers are paused" in rows(looker)
    resume(clients.connection())
    desk.handle_payload({"data": json.dumps({"command": "quiet"}).encode()})
    assert "it is quiet" in rows(looker)
    desk.handle_payload({"data": json.dumps({"command": "resume"}).encode()})
    assert "probe: x.csv" in rows(looker)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"state": "paused"}, "Nothing. probe: paused"),
        ({"state": "stopped"}, "Nothing. probe: paused"),
        ({"max_running": 1}, "Nothing. probe: as many run as may"),
        ({"max_starts": 1}, "Nothing. probe: as many were started in this minute as may"),
        ({"state": "closed"}, "probe: x.csv"),
        ({"max_running": 2, "max_starts": 3}, "probe: x.csv"),
    ],
)
def test_what_a_worker_would_take_next_is_what_its_claim_would_find(
    said: dict[str, Any], words: str, join: Join, line: Line, queue: LineQueue, desk: PresenceWorker
) -> None:
    running = join("running")
    set_levers()
    assert line.claim("desk-2").job_id == running.job_id
    running.start("desk-2")
    line.end_claim("desk-2", running.job_id, started="on desk-2")
    join()
    set_levers(**said)
    assert staff("view").client.get(f"{PAGE}now.json").json()["parts"]["desk-1:next"] == words
    claimed = LineQueue.dequeue_any([queue], None, queue.connection)
    assert (claimed is None) == words.startswith("Nothing")


@pytest.mark.parametrize(("ahead", "words"), [(60, "probe: x.csv"), (1000, "nobody among the first 1,000 is there")])
def test_an_entry_behind_many_who_are_away_is_found_or_not_denied(
    ahead: int, words: str, join: Join, line: Line, desk: PresenceWorker
) -> None:
    join()
    line.client.zadd(line.keys.line, {f"{number:032x}": -number for number in range(1, ahead + 1)})
    assert words in staff("view").client.get(f"{PAGE}now.json").json()["parts"]["desk-1:next"]


def test_while_places_come_back_nothing_is_next(join: Join, line: Line, desk: PresenceWorker) -> None:
    join()
    line.client.delete(line.keys.epoch)
    assert rows(staff("lines")).count("places are coming back") == 1


def test_the_workers_of_one_line_are_shown_alone(desk: PresenceWorker) -> None:
    PresenceWorker(["documents"], name="desk-2", connection=clients.connection()).register_birth()
    page = staff("lines").client.get(PAGE, {"queue": "documents"}).content.decode()
    assert "desk-2" in page
    assert "desk-1" not in page
    assert "now.json?queue=documents" in page


def test_a_worker_that_gave_no_sign_of_life_is_not_there(desk: PresenceWorker) -> None:
    clients.connection().delete("queueing:worker:desk-1")
    assert "No worker is there" in rows(staff("lines"))


def test_a_quiet_queue_hands_out_nothing_and_swallows_no_call(join: Join, line: Line, queue: LineQueue) -> None:
    join()
    queue.is_quiet = True
    calls = line.client.llen(line.keys.wake)
    try:
        assert LineQueue.dequeue_any([queue], None, queue.connection) is None
        with pytest.raises(Exception, match="probe"):
            LineQueue.dequeue_any([queue], 1, queue.connection)
        assert line.client.llen(line.keys.wake) == calls > 0
    finally:
        queue.is_quiet = False


@pytest.mark.parametrize(("verb", "command"), [("quiet", "quiet"), ("resume", "resume")])
def test_workers_are_told_by_staff_with_the_permission(
    verb: str, command: str, desk: PresenceWorker, heard: list[tuple[str, str]]
) -> None:
    page = tell(staff("lines", "steer"), verb)
    assert heard == [("desk-1", command)]
    assert "desk-1. It says so itself" in page.content.decode()
    (row,) = LogEntry.objects.all()
    assert row.object_repr == "worker desk-1"
    for other in (staff("lines"), staff("view", "change"), staff("steer"), staff()):
        assert tell(other, verb).status_code == 403
    assert len(heard) == 1
    assert 'name="quiet"' not in staff("lines").client.get(PAGE).content.decode()


def test_a_stop_asks_first(desk: PresenceWorker, heard: list[tuple[str, str]]) -> None:
    boss = staff("lines", "steer")
    assert "Yes, stop it" in tell(boss, "stop").content.decode()
    assert heard == []
    tell(boss, "stop", confirmed="yes")
    assert heard == [("desk-1", "shutdown")]
    assert "not there any more" in tell(boss, "quiet", worker="nobody").content.decode()
    assert tell(boss, "kill-horse").status_code == 400
    assert len(heard) == 1


@pytest.mark.parametrize("message", [{}, {"data": b"x"}, {"data": None}, {"data": b'{"command": []}'}, {"data": b"[]"}])
def test_what_is_no_command_of_ours_is_left_to_rq(message: dict[str, Any]) -> None:
    assert asks_for_quiet(message) is None
