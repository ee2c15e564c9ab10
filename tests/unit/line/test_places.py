"""The line: its order, claims, and held places."""

from collections.abc import Callable

import pytest
import redis
from rq import suspension

from queueing.line import keys, presence
from queueing.line.places import Line
from queueing.line.queue import LineQueue
from queueing.line.scripts import Ranked
from queueing.models import Entry
from queueing.states import Absence
from queueing.testing.presence import go, watch_since
from tests.support.standing import stand

pytestmark = pytest.mark.postgres

Join = Callable[..., Entry]


def test_present_entries_are_claimed_once_in_the_order_of_joining(line: Line, queue: LineQueue, join: Join) -> None:
    first, second = join("first"), join("second")
    assert line.ids() == queue.get_job_ids() == [first.job_id, second.job_id]
    assert queue.count == 2
    assert line.claim("w1") == (first.job_id, 0)
    assert line.claim("w2") == (second.job_id, 0)
    assert line.claim("w3") == (None, 0)


def test_priority_goes_before_order(line: Line) -> None:
    stand(line, "a", 5, presence=10)
    stand(line, "b", 6 - 2**40, presence=10)
    stand(line, "c", 4 + 100 * 2**40, presence=10)
    assert line.ids() == ["b", "a", "c"]


def test_an_absent_head_is_passed_and_keeps_its_place(line: Line, join: Join) -> None:
    absent, present, last = join("absent"), join("present"), join("last")
    go(absent)
    assert line.claim("w1") == (present.job_id, 1)
    assert line.held_ids() == [absent.job_id]
    assert presence.beat("probe", [absent.job_id], 10) == [absent.job_id]
    assert line.ids() == [absent.job_id, last.job_id]
    assert line.held_ids() == []


def test_a_long_row_of_absent_entries_is_passed_in_windows(line: Line) -> None:
    for number in range(3000):
        line.client.zadd(line.keys.line, {f"ghost{number}": number})
    stand(line, "present", 3001, presence=10)
    assert line.claim("w1") == ("present", 3000)
    assert len(line.held_ids()) == 3000


def test_a_claim_whose_reply_was_lost_is_given_again(line: Line, join: Join) -> None:
    first, second = join("first"), join("second")
    line.claim("w1")  # the reply never arrived
    assert line.claim("w1") == (first.job_id, 0)
    assert line.claim("w2") == (second.job_id, 0)


def test_a_goodbye_holds_at_once_and_a_second_one_changes_nothing(line: Line, queue: LineQueue, join: Join) -> None:
    entry = join()
    presence.close("probe", entry.job_id, Absence.CLOSED)
    due = line.client.zscore(line.keys.due, entry.job_id)
    presence.close("probe", entry.job_id, Absence.LOST)
    assert line.client.zscore(line.keys.due, entry.job_id) == due
    assert line.client.hget(line.keys.absence, entry.job_id) == b"closed"
    assert line.claim("w1") == (None, 0)
    assert queue.count == 0


def test_a_goodbye_while_claimed_or_running_leaves_a_note(line: Line, join: Join) -> None:
    entry = join()
    line.claim("w1")
    presence.close("probe", entry.job_id, Absence.CLOSED)
    look = presence.inspect(entry.queue, entry.job_id, None)
    assert not look.present
    assert look.gone_for is not None
    assert look.absence == Absence.CLOSED
    presence.beat("probe", [entry.job_id], 10)
    assert presence.inspect(entry.queue, entry.job_id, None).gone_for is None


def test_an_absence_without_a_goodbye_begins_at_the_first_look_while_web_processes_watch(
    line: Line, join: Join
) -> None:
    entry = join()
    line.claim("w1")
    go(entry)
    assert presence.inspect(entry.queue, entry.job_id, None).blind  # no web process beats, so nobody can know
    assert presence.inspect(entry.queue, entry.job_id, None).gone_for is None
    watch_since(1000)
    assert presence.inspect(entry.queue, entry.job_id, keep_seconds=7200).gone_for is None
    second = presence.inspect(entry.queue, entry.job_id, keep_seconds=None)
    assert second.gone_for is not None
    assert (second.absence, second.grace, second.is_over) == (Absence.LOST, 7200, False)


def test_a_released_claim_goes_back_to_its_place(line: Line, join: Join) -> None:
    first, second = join("first"), join("second")
    line.claim("w1")
    assert line.release("w1", first.job_id) == "line"
    assert line.ids() == [first.job_id, second.job_id]
    assert line.claims() == {}


def test_a_released_claim_of_an_absent_visitor_is_held_with_the_goodbyes_own_clock(line: Line, join: Join) -> None:
    entry = join()
    line.claim("w1")
    presence.close("probe", entry.job_id, Absence.CLOSED)
    assert line.release("w1", entry.job_id) == "held"
    assert line.client.hget(line.keys.absence, entry.job_id) == b"closed"
    seconds, _ = line.client.time()
    due = line.client.zscore(line.keys.due, entry.job_id)
    assert due is not None
    assert due / 1000 - seconds < 130


def test_nobody_elses_claim_can_be_released(line: Line, join: Join) -> None:
    entry = join()
    line.claim("w1")
    assert line.release("w2", entry.job_id) == ""
    assert line.claims()["w1"].job_id == entry.job_id


def test_a_late_release_spares_a_later_claim_of_the_same_worker(line: Line, join: Join) -> None:
    first, second = join("first"), join("second")
    line.claim("worker")
    line.end_claim("worker", first.job_id)
    assert line.claim("worker")[0] == second.job_id
    assert line.release("worker", first.job_id, first.score) == ""
    assert line.claims()["worker"][0] == second.job_id


def test_ending_a_stale_claim_spares_a_later_claim_of_the_same_worker(line: Line, join: Join) -> None:
    first, second = join("first"), join("second")
    line.claim("w1")
    line.end_claim("w1", first.job_id)
    line.claim("w1")
    line.end_stale_claim("w1", first.job_id)
    assert line.claims()["w1"].job_id == second.job_id
    line.end_stale_claim("w1", second.job_id)
    assert line.claims() == {}


def test_restoring_passes_over_held_and_claimed_entries_and_keeps_the_order(line: Line, join: Join) -> None:
    claimed, held, lost, last = join("claimed"), join("held"), join("lost"), join("last")
    line.claim("w1")
    presence.close("probe", held.job_id, Absence.CLOSED)
    line.client.zrem(line.keys.line, lost.job_id)
    places = [Ranked(entry.job_id, entry.score) for entry in (claimed, held, lost)]
    assert line.restore(places) == [lost.job_id]
    assert line.ids() == [lost.job_id, last.job_id]


def test_no_script_takes_a_key_of_another_line() -> None:
    assert set(keys.line_keys("a").in_order()).isdisjoint(keys.line_keys("b").in_order())


def test_nothing_is_claimed_while_the_workers_are_suspended(join: Join, line: Line, valkey: redis.Redis) -> None:
    """RQ asks before a worker begins to wait for work; this one waits already."""
    entry = join()
    suspension.suspend(valkey)
    assert line.claim("w1") == (None, 0)
    assert line.ids() == [entry.job_id]
    suspension.resume(valkey)
    assert line.claim("w1").job_id == entry.job_id
