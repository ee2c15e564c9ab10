"""The line: order, claims, held places, and what stock RQ does to it."""

from collections.abc import Callable

import pytest
import redis
from rq.exceptions import DequeueTimeout
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer

from queueing import keys, presence
from queueing.line import RUNNER, LineQueue, get_line
from queueing.models import Entry
from tests.conftest import go

pytestmark = pytest.mark.postgres

Join = Callable[..., Entry]


def test_it_works(line: LineQueue, join: Join) -> None:
    first, second = join("first"), join("second")
    assert line.get_job_ids() == [first.job_id, second.job_id]
    assert line.count == 2
    assert line.claim("w1") == (first.job_id, 0)
    assert line.claim("w2") == (second.job_id, 0)
    assert line.claim("w3") == (None, 0)


def test_priority_goes_before_order(line: LineQueue) -> None:
    line.place("a", 5, presence=10)
    line.place("b", 6 - 2**40, presence=10)
    line.place("c", 4 + 100 * 2**40, presence=10)
    assert line.get_job_ids() == ["b", "a", "c"]


def test_an_absent_head_is_passed_and_keeps_its_place(line: LineQueue, join: Join) -> None:
    absent, present, last = join("absent"), join("present"), join("last")
    go(absent)
    assert line.claim("w1") == (present.job_id, 1)
    assert line.held_ids() == [absent.job_id]
    assert presence.beat("probe", [absent.job_id], 10) == [absent.job_id]
    assert line.get_job_ids() == [absent.job_id, last.job_id]
    assert line.held_ids() == []


def test_a_long_row_of_absent_entries_is_passed_in_windows(line: LineQueue) -> None:
    for number in range(3000):
        line.connection.zadd(line.keys.line, {f"ghost{number}": number})
    line.place("present", 3001, presence=10)
    assert line.claim("w1") == ("present", 3000)
    assert len(line.held_ids()) == 3000


def test_a_claim_whose_reply_was_lost_is_given_again(line: LineQueue, join: Join) -> None:
    first, second = join("first"), join("second")
    line.claim("w1")  # the reply never arrived
    assert line.claim("w1") == (first.job_id, 0)
    assert line.claim("w2") == (second.job_id, 0)


def test_a_goodbye_holds_at_once_and_a_second_one_changes_nothing(line: LineQueue, join: Join) -> None:
    entry = join()
    presence.close("probe", entry.job_id, "closed")
    due = line.connection.zscore(line.keys.due, entry.job_id)
    presence.close("probe", entry.job_id, "lost")
    assert line.connection.zscore(line.keys.due, entry.job_id) == due
    assert line.connection.hget(line.keys.cause, entry.job_id) == b"closed"
    assert line.claim("w1") == (None, 0)
    assert line.count == 0


def test_a_goodbye_while_claimed_or_running_leaves_a_note(line: LineQueue, join: Join) -> None:
    entry = join()
    line.claim("w1")
    presence.close("probe", entry.job_id, "closed")
    look = presence.look(entry.job_id)
    assert not look.present
    assert look.gone_for is not None
    assert look.cause == "closed"
    presence.beat("probe", [entry.job_id], 10)
    assert presence.look(entry.job_id).gone_for is None


def test_a_released_claim_goes_back_to_its_place(line: LineQueue, join: Join) -> None:
    first, second = join("first"), join("second")
    line.claim("w1")
    assert line.release("w1", first.job_id) == "line"
    assert line.get_job_ids() == [first.job_id, second.job_id]
    assert line.claims() == {}


def test_a_released_claim_of_an_absent_visitor_is_held_with_the_goodbyes_own_clock(line: LineQueue, join: Join) -> None:
    entry = join()
    line.claim("w1")
    presence.close("probe", entry.job_id, "closed")
    assert line.release("w1", entry.job_id) == "held"
    assert line.connection.hget(line.keys.cause, entry.job_id) == b"closed"
    seconds, _ = line.connection.time()
    due = line.connection.zscore(line.keys.due, entry.job_id)
    assert due is not None
    assert due / 1000 - seconds < 130


def test_nobody_elses_claim_can_be_released(line: LineQueue, join: Join) -> None:
    entry = join()
    line.claim("w1")
    assert line.release("w2", entry.job_id) == ""
    assert line.claims()["w1"][0] == entry.job_id


def test_restoring_refuses_who_is_held_or_claimed_and_keeps_the_order(line: LineQueue, join: Join) -> None:
    claimed, held, lost = join("claimed"), join("held"), join("lost")
    line.claim("w1")
    presence.close("probe", held.job_id, "closed")
    line.connection.zrem(line.keys.line, lost.job_id)
    places = [(entry.job_id, float(entry.score)) for entry in (claimed, held, lost)]
    assert line.restore(places) == [lost.job_id]


def test_no_script_takes_a_key_of_another_line() -> None:
    assert set(keys.as_list(keys.line_keys("a"))).isdisjoint(keys.as_list(keys.line_keys("b")))


# Stock RQ


def stock(line: LineQueue) -> Queue:
    """A plain queue of the same name, as RQ builds them in many places."""
    return Queue(line.name, connection=line.connection, serializer=JSONSerializer)


def test_what_stock_rq_pushes_reaches_the_end_of_the_line(line: LineQueue, join: Join) -> None:
    entry = join()
    stock(line).enqueue("tests.foreign.note", "plain", job_id="foreign")
    assert line.get_job_ids() == [entry.job_id, "foreign"]
    assert line.claim("w1") == (entry.job_id, 0)
    assert line.claim("w2") == ("foreign", 0)
    assert line.connection.llen("rq:queue:probe") == 0


def test_a_unique_enqueue_reaches_the_line(line: LineQueue) -> None:
    stock(line).enqueue("tests.foreign.note", "once", job_id="once", unique=True)
    assert line.claim("w1") == ("once", 0)


def test_a_requeue_from_the_registry_reaches_the_line(line: LineQueue) -> None:
    job = stock(line).enqueue("tests.foreign.note", "again", job_id="again")
    line.claim("w1")
    line.end_claim("w1", "again")
    line.failed_job_registry.add(job, exc_string="broken")
    Job.fetch("again", connection=line.connection, serializer=JSONSerializer).requeue()
    assert line.claim("w1") == ("again", 0)


def test_an_id_that_is_held_or_claimed_is_not_placed_twice(line: LineQueue, join: Join) -> None:
    claimed, held = join("claimed"), join("held")
    line.claim("w1")
    presence.close("probe", held.job_id, "closed")
    line.connection.rpush("rq:queue:probe", claimed.job_id, held.job_id)
    assert line.claim("w2") == (None, 0)
    assert line.held_ids() == [held.job_id]
    assert not presence.is_present(held.job_id)


# What RQ asks of a queue


def test_a_missing_hash_is_built_again_at_the_claim(line: LineQueue, join: Join) -> None:
    entry = join()
    line.connection.delete(Job.key_for(entry.job_id))
    result = LineQueue.dequeue_any([line], None, connection=line.connection)
    assert result is not None
    job, _ = result
    assert (job.id, job.func_name, job.args) == (entry.job_id, RUNNER, [])


def test_an_unreadable_hash_is_built_again_at_the_claim(line: LineQueue, join: Join) -> None:
    entry = join()
    line.connection.hset(Job.key_for(entry.job_id), "data", b"rubbish")
    result = LineQueue.dequeue_any([line], None, connection=line.connection)
    assert result is not None
    assert result[0].func_name == RUNNER


def test_fetching_a_job_never_costs_a_place(line: LineQueue, join: Join) -> None:
    entry = join()
    line.connection.delete(Job.key_for(entry.job_id))
    assert line.fetch_job(entry.job_id) is None
    assert line.get_jobs() == []
    assert line.count == 1


def test_an_idle_worker_gives_up_after_its_timeout(line: LineQueue) -> None:
    with pytest.raises(DequeueTimeout):
        LineQueue.dequeue_any([line], 1, connection=line.connection)


def test_positions_and_removal(line: LineQueue, join: Join, valkey: redis.Redis) -> None:
    first, second = join("first"), join("second")
    assert line.get_job_position(second.job_id) == 1
    assert line.remove(first.job_id) == 1
    assert line.remove(first.job_id) == 0
    assert line.get_job_position(second.job_id) == 0
    assert not valkey.exists(Job.key_for(first.job_id), keys.PRESENCE.format(job_id=first.job_id))


def test_emptying_ends_the_rows_so_that_nothing_comes_back(line: LineQueue, join: Join) -> None:
    waiting, held = join("waiting"), join("held")
    presence.close("probe", held.job_id, "closed")
    stock(line).enqueue("tests.foreign.note", "foreign", job_id="foreign")
    assert line.empty() == 3
    waiting.refresh_from_db()
    held.refresh_from_db()
    assert {waiting.status, held.status} == {"cancelled"}
    assert (line.count, line.held_ids()) == (0, [])


def test_deleting_the_queue_leaves_no_key(line: LineQueue, join: Join, valkey: redis.Redis) -> None:
    join()
    line.delete()
    assert valkey.keys("rq:line:*") == []
    assert valkey.smembers("rq:queues") == set()


def test_jobs_are_json_whatever_the_caller_asks_for(line: LineQueue) -> None:
    from rq.serializers import PickleSerializer

    assert LineQueue("probe", connection=line.connection, serializer=PickleSerializer).serializer is JSONSerializer
    assert get_line("probe") is line
