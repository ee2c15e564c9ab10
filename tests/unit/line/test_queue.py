"""The RQ queue of a line: what stock RQ pushes into it, and what RQ asks of it."""

from collections.abc import Callable

import pytest
import redis
from rq.exceptions import DequeueTimeout
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer, PickleSerializer

from queueing.line import keys, presence
from queueing.line.jobs import RUNNER
from queueing.line.places import Line
from queueing.line.queue import LineQueue, get_queue
from queueing.models import Entry
from queueing.states import Absence, Status
from tests.support.entries import status_of

pytestmark = pytest.mark.postgres

Join = Callable[..., Entry]


# Stock RQ


def stock(line: Line) -> Queue:
    """A plain queue of the same name. RQ builds such queues in many places."""
    return Queue(line.name, connection=line.client, serializer=JSONSerializer)


def test_a_push_of_stock_rq_reaches_the_end_of_the_line(line: Line, queue: LineQueue, join: Join) -> None:
    entry = join()
    stock(line).enqueue("tests.support.foreign.note", "plain", job_id="foreign")
    assert queue.get_job_ids() == [entry.job_id, "foreign"]
    assert line.claim("w1") == (entry.job_id, 0)
    assert line.claim("w2") == ("foreign", 0)
    assert line.client.llen("rq:queue:probe") == 0


def test_a_unique_enqueue_reaches_the_line(line: Line) -> None:
    stock(line).enqueue("tests.support.foreign.note", "once", job_id="once", unique=True)
    assert line.claim("w1") == ("once", 0)


def test_a_requeue_from_the_registry_reaches_the_line(line: Line, queue: LineQueue) -> None:
    job = stock(line).enqueue("tests.support.foreign.note", "again", job_id="again")
    line.claim("w1")
    line.end_claim("w1", "again")
    queue.failed_job_registry.add(job, exc_string="broken")
    Job.fetch("again", connection=line.client, serializer=JSONSerializer).requeue()
    assert line.claim("w1") == ("again", 0)


def test_an_id_that_is_held_or_claimed_is_not_placed_twice(line: Line, join: Join) -> None:
    claimed, held = join("claimed"), join("held")
    line.claim("w1")
    presence.close("probe", held.job_id, Absence.CLOSED)
    line.client.rpush("rq:queue:probe", claimed.job_id, held.job_id)
    assert line.claim("w2") == (None, 0)
    assert line.held_ids() == [held.job_id]
    assert not presence.is_present(held.queue, held.job_id)


# The methods that RQ calls on a queue


def next_job(queue: LineQueue) -> Job:
    """The job that a worker would be given now."""
    result = LineQueue.dequeue_any([queue], None, connection=queue.connection)
    assert result is not None
    job, _ = result
    return job


def test_a_missing_hash_is_built_again_at_the_claim(queue: LineQueue, join: Join) -> None:
    entry = join()
    queue.connection.delete(Job.key_for(entry.job_id))
    job = next_job(queue)
    assert (job.id, job.func_name, job.args) == (entry.job_id, RUNNER, [])


def test_an_unreadable_hash_is_built_again_at_the_claim(queue: LineQueue, join: Join) -> None:
    entry = join()
    queue.connection.hset(Job.key_for(entry.job_id), "data", b"rubbish")
    assert next_job(queue).func_name == RUNNER


def test_fetching_a_job_never_costs_a_place(queue: LineQueue, join: Join) -> None:
    entry = join()
    queue.connection.delete(Job.key_for(entry.job_id))
    assert queue.fetch_job(entry.job_id) is None
    assert queue.get_jobs() == []
    assert queue.count == 1


def test_an_idle_worker_gives_up_after_its_timeout(queue: LineQueue) -> None:
    with pytest.raises(DequeueTimeout):
        LineQueue.dequeue_any([queue], 1, connection=queue.connection)


def test_positions_and_removal(queue: LineQueue, join: Join, valkey: redis.Redis) -> None:
    first, second = join("first"), join("second")
    assert queue.get_job_position(second.job_id) == 1
    assert queue.remove(first.job_id) == 1
    assert queue.remove(first.job_id) == 0
    assert queue.get_job_position(second.job_id) == 0
    assert not valkey.exists(Job.key_for(first.job_id), keys.presence_key(first.job_id))


def test_emptying_ends_the_rows_so_that_nothing_comes_back(line: Line, queue: LineQueue, join: Join) -> None:
    waiting, held = join("waiting"), join("held")
    presence.close("probe", held.job_id, Absence.CLOSED)
    stock(line).enqueue("tests.support.foreign.note", "foreign", job_id="foreign")
    assert queue.empty() == 3
    waiting.refresh_from_db()
    held.refresh_from_db()
    assert {waiting.status, held.status} == {"cancelled"}
    assert (queue.count, line.held_ids()) == (0, [])


def test_deleting_the_queue_leaves_no_key(queue: LineQueue, join: Join, valkey: redis.Redis) -> None:
    join()
    queue.delete()
    assert valkey.keys("rq:line:probe*") == []
    assert valkey.smembers("rq:queues") == set()


def test_jobs_are_json_whatever_the_caller_asks_for(queue: LineQueue) -> None:
    asked = LineQueue("probe", connection=queue.connection, serializer=PickleSerializer)
    assert asked.serializer is JSONSerializer


def test_a_process_has_one_queue_object_for_each_line(queue: LineQueue) -> None:
    assert get_queue("probe") is queue


def test_emptying_a_queue_ends_unseen_entries_too(queue: LineQueue, join: Join, line: Line) -> None:
    """A place that the row still asks for would be given back by the keeper."""
    seen, unseen = join(), join(looked=False)
    assert line.unseen_ids() == [unseen.job_id]
    assert queue.empty() == 2
    assert {status_of(seen), status_of(unseen)} == {Status.CANCELLED}
    assert line.all_ids() == set()
