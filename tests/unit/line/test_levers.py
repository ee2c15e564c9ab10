"""The levers where they act: a claim looks at the copy of the line's row, and counts for its limits."""

import threading
from collections.abc import Callable
from typing import cast

import pytest
from django.db import OperationalError

from queueing import ending
from queueing.keeper import steering as keeper_steering
from queueing.keeper.round import Keeper
from queueing.line import epoch, levers, scripts
from queueing.line.levers import Levers, Row
from queueing.line.places import Line
from queueing.line.queue import LineQueue
from queueing.models import Entry
from queueing.states import LineState
from queueing.work.worker import PresenceWorker
from tests.support.epochs import set_epoch
from tests.support.levers import set_levers
from tests.support.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

Join = Callable[..., Entry]


def start(line: Line, entry: Entry, worker: str) -> None:
    """As the horse of this worker does, once the entry was claimed."""
    entry.refresh_from_db()
    assert entry.start(worker)
    line.end_claim(worker, entry.job_id, started="attempt 1")


def move_starts(line: Line, ms: int) -> None:
    for claim in cast("list[bytes]", line.client.zrange(line.keys.starts, 0, -1)):
        line.client.zincrby(line.keys.starts, ms, claim)


# Pause


@pytest.mark.parametrize("state", ["paused", "stopped"])
def test_nothing_is_claimed_from_a_paused_line_and_the_order_stays(join: Join, line: Line, state: str) -> None:
    first, second = join(), join()
    set_levers(state=state)
    assert line.claim("w1") == (None, 0)
    assert line.ids() == [first.job_id, second.job_id]
    third = join() if state == "paused" else None
    set_levers(state="open")
    assert [line.claim(worker).job_id for worker in ("w1", "w2")] == [first.job_id, second.job_id]
    assert line.claim("w3").job_id == (third.job_id if third else None)


def test_a_closed_line_is_served(join: Join, line: Line) -> None:
    entry = join()
    set_levers(state="closed")
    assert line.claim("w1").job_id == entry.job_id


def test_a_claim_whose_reply_was_lost_is_not_started_in_a_pause(join: Join, line: Line) -> None:
    entry = join()
    line.claim("w1")
    set_levers(state="paused")
    assert line.claim("w1") == (None, 0)
    set_levers(state="open")
    assert line.claim("w1").job_id == entry.job_id


def test_the_end_of_a_pause_wakes_a_worker_that_waits(
    join: Join, queue: LineQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two calls wake a waiting worker: that of the join, in the pause, and that of its end."""
    monkeypatch.setattr("queueing.line.queue.IDLE_WAIT", 60)
    queue.worker_name = "w1"
    set_levers(state="paused")
    found: list[str] = []

    def wait() -> None:
        got = LineQueue.dequeue_any([queue], 60, queue.connection)
        found.append(got[0].id if got else "")

    worker = threading.Thread(target=wait, daemon=True)
    worker.start()
    entry = join()
    wait_for(lambda: not queue.connection.exists(queue.line.keys.wake))  # it was woken, and has looked
    assert (found, queue.line.ids()) == ([], [entry.job_id])
    set_levers(state="open")
    worker.join(30)  # by itself it would wait for IDLE_WAIT
    assert found == [entry.job_id]


# The copy


@pytest.mark.parametrize(
    "field", ['"max_per_visitor": "x"', '"max_line": 1.5', '"opens_at": 1e999', '"sentence": 1', '"max_line": -1']
)
def test_a_copy_with_a_value_that_nobody_has_written_is_none(join: Join, line: Line, field: str) -> None:
    line.client.set(line.keys.levers, '{"state": "open", ' + field + "}")
    assert levers.read(line.client, "probe") == Levers()


@pytest.mark.parametrize("copy", [None, b"", b"rubbish", b"[]", b'{"paused": false}', b'{"state": 1}'])
def test_without_a_copy_the_row_is_read_before_anything_is_claimed(join: Join, line: Line, copy: bytes | None) -> None:
    join()
    set_levers(state="paused", sentence="We are back at nine.")
    line.client.delete(line.keys.levers)
    if copy is not None:
        line.client.set(line.keys.levers, copy)
    assert line.claim("w1") == (None, 0)
    found = levers.read(line.client, "probe")
    assert (found.state, found.sentence) == (LineState.PAUSED, "We are back at nine.")


def test_a_flush_opens_no_line(join: Join, line: Line) -> None:
    set_levers(state="stopped")
    line.client.flushall()
    set_epoch(line.client, "probe", epoch.run_id(line.client))
    assert line.claim("w1") == (None, 0)
    assert levers.read(line.client, "probe").state == LineState.STOPPED


def test_a_worker_that_cannot_read_the_row_claims_nothing_and_goes_on_when_it_can(
    join: Join, line: Line, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis has lost the levers, and the database is away."""
    read, failures = levers.rows.read, 0

    def fail_once(queue: str) -> Row:
        nonlocal failures
        failures += 1
        if failures == 1:
            raise OperationalError("the server closed the connection")
        return read(queue)

    entry = join()
    line.client.delete(line.keys.levers)
    monkeypatch.setattr(levers.rows, "read", fail_once)
    worker = PresenceWorker(["probe"], name="w1", connection=line.client)
    found = worker.dequeue_job_and_maintain_ttl(None)
    assert found is not None
    assert (found[0].id, failures) == (entry.job_id, 2)
    assert "the levers of its lines are not known" in caplog.text


def test_an_earlier_row_never_replaces_a_later_one(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """1. One writer reads the row. 2. Another one changes the row, and writes its copy. 3. The first writes."""
    read, reads = levers.rows.read, 0

    def read_and_be_late(queue: str) -> Row:
        nonlocal reads
        reads += 1
        row = read(queue)
        if reads == 1:
            set_levers(state="paused")
        return row

    set_levers(state="open", sentence="old")
    line.client.delete(line.keys.levers)
    monkeypatch.setattr(levers.rows, "read", read_and_be_late)
    assert levers.publish(line.client, "probe").state == LineState.PAUSED
    assert levers.read(line.client, "probe").state == LineState.PAUSED


def test_the_copy_says_all_that_the_row_says() -> None:
    full = Levers(LineState.STOPPED, 'No "more" than \u00e9', 1.5, True, 1, 2, 3, 4)
    assert levers.parse(full.as_text()) == full
    assert levers.parse(Levers().as_text()) == Levers()


# Limits


def test_no_more_run_than_allowed_and_the_end_of_one_makes_room(join: Join, line: Line) -> None:
    first, second, third = join(), join(), join()
    set_levers(max_running=2)
    line.claim("w1")
    line.claim("w2")
    assert (line.claim("w3").job_id, line.is_at_limit) == (None, True)
    start(line, first, "w1")
    assert line.claim("w3").job_id is None
    ending.leave(first)
    assert line.claim("w3").job_id == third.job_id
    assert line.claim("w4").job_id is None
    assert line.release("w2", second.job_id) == "line"
    assert line.claim("w4").job_id == second.job_id


def test_the_entry_of_a_dead_worker_makes_room(join: Join, line: Line) -> None:
    first, _ = join(), join()
    set_levers(max_running=1)
    line.claim("w1")
    start(line, first, "w1")
    assert line.claim("w2").job_id is None
    ending.settle_orphan(first, "died")
    assert line.claim("w2").job_id == first.job_id


def test_a_claim_that_outlived_its_start_counts_once(join: Join, line: Line) -> None:
    """Its worker could not reach Redis at the start."""
    first, second = join(), join()
    set_levers(max_running=2)
    line.claim("w1")
    start(line, first, "w1")
    scripts.count_running(line.client, line.keys, {}, [first.job_id])
    line.client.hset(line.keys.claims, "w1", f"{first.job_id}:1:1")
    assert line.claim("w2").job_id == second.job_id


def test_a_limit_that_is_new_counts_what_runs_already(join: Join, line: Line) -> None:
    """Also after a flush: Redis has forgotten it."""
    first, _ = join(), join()
    line.claim("w1")
    start(line, first, "w1")
    line.client.delete(line.keys.running)
    set_levers(max_running=1)
    assert line.claim("w2").job_id is None
    line.client.delete(line.keys.running, line.keys.levers)
    assert line.claim("w2").job_id is None


def test_the_keeper_counts_what_runs_by_the_rows(join: Join, line: Line) -> None:
    """Redis may have lost the news of an end or a start."""
    first, second = join(), join()
    line.claim("w1")
    start(line, first, "w1")
    assert first.succeed({})
    line.client.zadd(line.keys.running, {first.job_id: 1, "stranger": 2})
    line.client.zrem(line.keys.line, second.job_id)
    assert second.start("w2")
    set_levers(max_running=1)
    assert Keeper().round()["held"] == 0
    assert line.client.zrange(line.keys.running, 0, -1) == [second.job_id.encode()]


def test_an_entry_that_starts_while_the_keeper_counts_stays(join: Join, line: Line) -> None:
    """1. The keeper has seen an earlier start of it, by a row that did not run. 2. It starts anew."""
    entry = join()
    line.client.zadd(line.keys.running, {entry.job_id: 1})
    seen = {entry.job_id: b"1"}
    line.claim("w1")
    start(line, entry, "w1")
    line.client.zadd(line.keys.running, {entry.job_id: 2})
    scripts.count_running(line.client, line.keys, seen, [])
    assert line.client.zcard(line.keys.running) == 1
    assert keeper_steering.count_running(line) == 0


def test_no_more_start_in_a_minute_than_allowed(join: Join, line: Line) -> None:
    entries = [join() for _ in range(4)]
    set_levers(max_starts=2)
    line.claim("w1")
    start(line, entries[0], "w1")
    line.claim("w2")
    assert (line.claim("w3").job_id, line.is_at_limit) == (None, True)
    line.release("w2", entries[1].job_id)  # a claim that was given back is no start
    assert line.claim("w3").job_id == entries[1].job_id
    assert line.claim("w2").job_id is None
    move_starts(line, -60_000)  # a minute later
    assert line.claim("w2").job_id == entries[2].job_id
    move_starts(line, 3_600_000)  # the clock was put back
    assert line.claim("w4").job_id == entries[3].job_id


def test_starts_that_a_flush_took_count_as_if_they_were_now(join: Join, line: Line) -> None:
    first, second, third = join(), join(), join()
    set_levers(max_starts=2)
    for worker, entry in (("w1", first), ("w2", second)):
        line.claim(worker)
        start(line, entry, worker)
    assert first.succeed({})
    line.client.delete(line.keys.starts, line.keys.levers)
    assert line.claim("w3").job_id is None
    set_levers(max_starts=3)
    assert line.claim("w3").job_id == third.job_id


def test_the_keeper_mends_a_copy_that_is_not_the_row(line: Line) -> None:
    set_levers(state="paused")
    line.client.set(line.keys.levers, Levers().as_text())
    keeper_steering.look_after(line.client)
    assert levers.read(line.client, "probe").is_paused
