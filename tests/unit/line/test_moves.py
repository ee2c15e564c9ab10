"""Moves between the places: who is called, who keeps a place, and what is left behind."""

from collections.abc import Callable
from typing import cast

import pytest
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer

from queueing import ending
from queueing.conf import conf
from queueing.keeper.round import Keeper
from queueing.line import keys, presence, scripts
from queueing.line.places import Line
from queueing.line.scripts import Ranked
from queueing.models import Entry
from queueing.states import Absence
from queueing.testing.presence import go, watch_since
from tests.support.standing import stand

pytestmark = pytest.mark.postgres

Join = Callable[..., Entry]


def called(line: Line) -> list[str]:
    """The ids for which an idle worker was called since the last question."""
    ids = [job_id.decode() for job_id in cast("list[bytes]", line.client.lrange(line.keys.wake, 0, -1))]
    line.client.delete(line.keys.wake)
    return ids


def overdue(line: Line, entry: Entry) -> None:
    line.client.zadd(line.keys.due, {entry.job_id: 1})
    watch_since(1000)


# An idle worker looks by itself each IDLE_WAIT only: every move that makes an entry claimable must call it


def test_an_idle_worker_is_called_when_a_visitor_comes_or_comes_back(join: Join, line: Line) -> None:
    entry = join(looked=False)
    called(line)
    presence.beat("probe", [entry.job_id], 10)
    assert called(line) == [entry.job_id]
    presence.close("probe", entry.job_id, Absence.LOST)
    presence.beat("probe", [entry.job_id], 10)
    assert called(line) == [entry.job_id]


def test_an_idle_worker_is_called_when_a_claim_goes_back_or_a_place_is_restored(join: Join, line: Line) -> None:
    entry = join()
    line.claim("w1")
    called(line)
    line.release("w1", entry.job_id)
    assert called(line) == [entry.job_id]
    line.remove_place(entry.job_id)
    line.restore([Ranked(entry.job_id, entry.score)])
    assert called(line) == [entry.job_id]


def test_an_idle_worker_is_called_for_a_held_entry_that_is_found_present(join: Join, line: Line) -> None:
    entry = join()
    presence.close("probe", entry.job_id, Absence.LOST)
    line.client.set(keys.presence_key(entry.job_id), 1)
    overdue(line, entry)
    called(line)
    assert scripts.drop(line.client, line.keys, least_watch=1, window=10) == []
    assert called(line) == [entry.job_id]


def test_calls_and_notes_that_nobody_reads_have_an_end(line: Line) -> None:
    stand(line, "busy", 1, presence=60)
    for _ in range(70):
        presence.close("probe", "busy", Absence.LOST)
        presence.beat("probe", ["busy"], 60)
    assert line.client.llen(line.keys.wake) == 64
    line.client.rpush(line.keys.notes, *["x"] * 10_000)
    presence.close("probe", "busy", Absence.LOST)
    assert line.client.llen(line.keys.notes) == 10_000


# The numbers of all pages


@pytest.mark.parametrize("move", ["claim", "close", "beat", "release", "restore", "remove", "drop"])
def test_every_move_tells_the_pages_that_numbers_changed(join: Join, line: Line, move: str) -> None:
    entry = join()
    if move in {"beat", "drop"}:
        presence.close("probe", entry.job_id, Absence.LOST)
        overdue(line, entry)
    if move == "release":
        line.claim("w1")
    if move == "restore":
        line.remove_place(entry.job_id)
    before = line.client.get(line.keys.version)
    {
        "claim": lambda: line.claim("w1"),
        "close": lambda: presence.close("probe", entry.job_id, Absence.LOST),
        "beat": lambda: presence.beat("probe", [entry.job_id], 10),
        "release": lambda: line.release("w1", entry.job_id),
        "restore": lambda: line.restore([Ranked(entry.job_id, entry.score)]),
        "remove": lambda: line.remove(entry.job_id),
        "drop": lambda: scripts.drop(line.client, line.keys, least_watch=1, window=10),
    }[move]()
    assert line.client.get(line.keys.version) != before


# One place for each entry


def test_an_entry_that_is_placed_again_keeps_the_place_it_has(join: Join, line: Line) -> None:
    unseen, held, claimed = join(looked=False), join(), join()
    presence.close("probe", held.job_id, Absence.CLOSED)
    assert line.claim("w1")[0] == claimed.job_id
    due = line.client.zrange(line.keys.due, 0, -1, withscores=True)
    for entry in (unseen, held, claimed):
        assert line.place(entry.job_id, entry.score) == ""
    assert (line.ids(), line.held_ids()) == ([], [held.job_id])
    assert line.client.zrange(line.keys.due, 0, -1, withscores=True) == due


def test_a_look_that_came_before_the_place_counts(join: Join, line: Line) -> None:
    """Redis was away at the join; the page was loaded, and then the keeper gives the place."""
    entry = join()
    line.remove_place(entry.job_id)
    assert line.place(entry.job_id, entry.score) == "line"


def test_an_orphan_that_has_a_place_gets_no_second_one(join: Join, line: Line) -> None:
    entry = join()
    go(entry)
    assert line.release("", entry.job_id, entry.score) == ""
    assert (line.ids(), line.held_ids()) == ([entry.job_id], [])


def test_a_foreign_job_that_is_pushed_twice_keeps_its_place_and_is_no_entry(line: Line) -> None:
    stock = Queue("probe", connection=line.client, serializer=JSONSerializer)
    jobs: list[Job] = [stock.enqueue("tests.support.foreign.note", name, job_id=name) for name in ("one", "two")]
    stand(line, "entry", -1, presence=60)
    assert line.claim("w1")[0] == "entry"
    line.release("w1", "entry")
    line.client.rpush("rq:queue:probe", jobs[0].id)
    line.claim("w1")
    assert line.ids() == ["one", "two"]
    line.release("w1", "entry")
    assert line.count_entries() == 1


# The memory of an absence


def test_a_visitor_who_came_back_starts_the_next_absence_anew(join: Join, line: Line) -> None:
    entry = join()
    line.claim("w1")
    watch_since(1000)
    presence.close("probe", entry.job_id, Absence.CLOSED)
    presence.beat("probe", [entry.job_id], 10)
    go(entry)
    look = presence.inspect(entry.queue, entry.job_id, None)
    assert (look.present, look.gone_for, look.is_over) == (False, None, False)
    again = presence.inspect(entry.queue, entry.job_id, None)
    assert (again.absence, again.grace) == (Absence.LOST, conf.LOST_GRACE)


def test_looks_at_an_absence_do_not_prolong_it(join: Join, line: Line) -> None:
    entry = join()
    line.claim("w1")
    go(entry)
    watch_since(1000)
    presence.inspect(entry.queue, entry.job_id, None)
    began = line.client.get(keys.gone_key(entry.job_id))
    presence.inspect(entry.queue, entry.job_id, None)
    assert line.client.get(keys.gone_key(entry.job_id)) == began


def test_a_longer_hold_counts_for_a_goodbye_while_the_task_runs(join: Join, line: Line) -> None:
    entry = join()
    assert ending.keep(entry)
    line.claim("w1")
    line.end_claim("w1", entry.job_id)
    presence.close("probe", entry.job_id, Absence.CLOSED)
    assert presence.inspect(entry.queue, entry.job_id, None).grace == conf.KEEP_GRACE


@pytest.mark.parametrize(("absence", "grace"), [(Absence.CLOSED, conf.CLOSE_GRACE), (Absence.LOST, conf.LOST_GRACE)])
def test_a_place_is_kept_for_as_long_as_the_cause_of_the_absence_says(
    join: Join, line: Line, absence: Absence, grace: float
) -> None:
    waiting, running = join(), join()
    presence.close("probe", waiting.job_id, absence)
    seconds, _ = line.client.time()
    due = line.client.zscore(line.keys.due, waiting.job_id)
    assert due is not None
    assert abs(due / 1000 - seconds - grace) < 5
    line.claim("w1")
    presence.close("probe", running.job_id, absence)
    look = presence.inspect(running.queue, running.job_id, None)
    assert (look.absence, look.grace) == (absence, grace)


@pytest.mark.parametrize("absence", [Absence.CLOSED, Absence.LOST])
def test_an_entry_is_dropped_with_the_cause_of_its_absence(join: Join, line: Line, absence: Absence) -> None:
    entry = join()
    presence.close("probe", entry.job_id, absence)
    overdue(line, entry)
    assert scripts.drop(line.client, line.keys, least_watch=1, window=10) == [(entry.job_id, absence)]


def test_a_deadline_that_passed_since_the_last_beat_of_the_web_processes_does_not_count_yet(
    join: Join, line: Line
) -> None:
    """They may have died before it, while the page was being loaded again: then their watch outlives them."""
    entry = join()
    presence.close("probe", entry.job_id, Absence.CLOSED)
    seconds, _ = line.client.time()
    line.client.zadd(line.keys.due, {entry.job_id: (seconds - 2) * 1000})
    watch_since(1000, life=presence.watch_life() - 4)
    assert Keeper().drop(line) == 0
    watch_since(1000, life=presence.watch_life())
    assert Keeper().drop(line) == 1


def test_no_absence_is_over_while_nobody_watches(join: Join, line: Line) -> None:
    """The web processes are away or have just come back: a running task goes on."""
    entry = join()
    line.claim("w1")
    presence.close("probe", entry.job_id, Absence.CLOSED)
    line.client.set(keys.gone_key(entry.job_id), "1:1:closed")
    assert not presence.inspect(entry.queue, entry.job_id, None).is_over
    watch_since(1)
    assert not presence.inspect(entry.queue, entry.job_id, None).is_over
    watch_since(1000)
    assert presence.inspect(entry.queue, entry.job_id, None).is_over


@pytest.mark.parametrize("end", ["drop", "leave", "ghost"])
def test_an_entry_that_is_over_leaves_no_key(join: Join, line: Line, end: str) -> None:
    entry = join()
    assert ending.keep(entry)
    presence.close("probe", entry.job_id, Absence.CLOSED)
    if end == "drop":
        overdue(line, entry)
        assert Keeper().drop(line) == 1
    elif end == "leave":
        ending.leave(entry)
    else:
        entry.cancel()
        Keeper().reconciler.compare(line)
        line.client.delete(f"rq:job:{entry.job_id}")  # the job is RQ's, until a purge
    left = {line.keys.version, line.keys.notes, line.keys.wake, line.keys.epoch, line.keys.levers}
    assert {key.decode() for key in cast("list[bytes]", line.client.keys("rq:line:probe*"))} <= left
    assert line.client.keys(f"*{entry.job_id}*") == []
