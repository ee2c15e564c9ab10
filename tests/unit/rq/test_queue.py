"""The contract with RQ: what its queues do, and the traps of a stock queue that ours mends."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import pytest
import redis
from django.db import transaction
from django_rq.queues import DjangoRQ
from rq.job import Job, JobStatus
from rq.queue import Queue
from rq.scheduler import RQScheduler
from rq.serializers import JSONSerializer

from queueing.line import keys
from queueing.line.jobs import job_key
from queueing.line.places import Line
from queueing.line.queue import LineQueue
from tests.support.recording import note_calls
from tests.support.standing import stand
from tests.support.stock_rq import enqueue


def inbox(client: redis.Redis) -> list[bytes]:
    return cast("list[bytes]", client.lrange("rq:queue:probe", 0, -1))


@dataclass
class Asked:
    """A call on a queue of RQ's, and the overrides that it must reach."""

    does: Callable[[Queue], Any]
    reaches: list[tuple[str, dict[str, Any]]]


PIPED = {"job_id": "foreign", "pipeline": "Pipeline"}
ASKED = {
    "enqueue": Asked(enqueue, [("push_job_id", PIPED | {"at_front": False})]),
    "enqueue(at_front=True)": Asked(
        lambda queue: enqueue(queue, at_front=True), [("push_job_id", PIPED | {"at_front": True})]
    ),
    "enqueue_job": Asked(
        lambda queue: queue.enqueue_job(Job.create("x.y", id="foreign", connection=queue.connection)),
        [("push_job_id", PIPED | {"at_front": False})],
    ),
    "len()": Asked(len, [("count", {})]),
    "is_empty": Asked(lambda queue: queue.is_empty(), [("count", {})]),
    "job_ids": Asked(lambda queue: queue.job_ids, [("get_job_ids", {})]),
    "get_jobs": Asked(
        lambda queue: queue.get_jobs(0, 5),
        [("get_job_ids", {"offset": 0, "length": 5}), ("fetch_job", {"job_id": "here"})],
    ),
}


@pytest.mark.parametrize("way", ASKED)
def test_rqs_calls_on_a_queue_reach_our_overrides(way: str, line: Line) -> None:
    class NotedQueue(LineQueue):
        pass

    calls: list[dict[str, Any]] = []
    stand(line, "here", 1, presence=10)
    note_calls(NotedQueue, ["push_job_id", "count", "get_job_ids", "fetch_job", "remove"], calls.append)
    ASKED[way].does(NotedQueue("probe", connection=line.client, commit_mode="auto"))
    reached = [(call["name"], call["arguments"]) for call in calls if call["event"] == "call"]
    assert reached == ASKED[way].reaches, (
        f"rq.Queue.{way} reaches other methods of the queue than before: "
        f"LineQueue overrides {[name for name, _ in ASKED[way].reaches]} for it."
    )


def test_rqs_keys_are_where_ours_point(stock: Queue, queue: LineQueue) -> None:
    assert stock.key == queue.key == keys.line_keys("probe").inbox, (
        "rq.Queue.key is another list now: keys.line_keys names the inbox."
    )
    assert stock.redis_queues_keys == "rq:queues", (
        "rq.Queue.redis_queues_keys is another set now: Line.place adds to it."
    )
    assert (job_key("id"), Job.redis_job_namespace_prefix) == ("rq:job:id", "rq:job:"), (
        "RQ keeps jobs elsewhere now: lua/claim.lua and purge.purge_keys name their keys."
    )


def test_dependents_and_schedules_land_in_the_inbox(stock: Queue, client: redis.Redis) -> None:
    first = enqueue(stock)
    stock.enqueue("tests.support.foreign.note", "b", job_id="dependent", depends_on=first)
    stock.enqueue_in(timedelta(seconds=-1), "tests.support.foreign.note", "c", job_id="scheduled")
    assert inbox(client) == [b"foreign"]
    first.set_status(JobStatus.FINISHED)  # as a worker does
    stock.enqueue_dependents(first)
    assert inbox(client) == [b"foreign", b"dependent"], "rq.Queue.enqueue_dependents pushes elsewhere than the inbox."
    scheduler = RQScheduler([stock], connection=client, serializer=JSONSerializer)
    scheduler.acquire_locks()
    scheduler.prepare_registries()
    scheduler.enqueue_scheduled_jobs()
    scheduler.release_locks()
    assert inbox(client) == [b"foreign", b"dependent", b"scheduled"], (
        "rq.scheduler.RQScheduler.enqueue_scheduled_jobs pushes elsewhere than the inbox."
    )


@pytest.mark.django_db
def test_our_queue_enqueues_before_the_commit_and_django_rqs_at_it(client: redis.Redis, queue: LineQueue) -> None:
    with transaction.atomic():
        assert enqueue(DjangoRQ("probe", connection=client)) is None, (
            "django_rq.DjangoRQ enqueues inside a transaction, too: get_queue need not say commit_mode any more."
        )
        assert isinstance(enqueue(queue), Job), 'django_rq.DjangoRQ does not take commit_mode="auto" from get_queue.'
    assert inbox(client) == [b"foreign"]


# --- Traps of a stock queue that ours mends: when one is gone, so may be the override


def test_stock_rq_takes_the_place_of_an_id_without_a_job(stock: Queue, client: redis.Redis, queue: LineQueue) -> None:
    client.rpush(stock.key, "lost")
    assert stock.get_jobs() == []
    assert inbox(client) == [], "rq.Queue.fetch_job leaves the id of a lost job now: LineQueue.fetch_job does so, too."
    client.rpush(stock.key, "lost")
    stock.compact()
    assert inbox(client) == [], "rq.Queue.compact leaves the id of a lost job now: LineQueue.compact does so, too."
    client.rpush(stock.key, "lost")
    queue.get_jobs()
    queue.compact()
    assert inbox(client) == [b"lost"]


def test_stock_rq_loses_the_ids_that_it_has_popped(stock: Queue, client: redis.Redis) -> None:
    other = Queue("tables", connection=client, serializer=JSONSerializer)
    enqueue(stock)
    Queue.dequeue_any([stock, other], None, connection=client, serializer=JSONSerializer)
    assert not client.exists(stock.key, stock.intermediate_queue_key), (
        "rq.Queue.dequeue_any of two queues keeps the id somewhere now: LineQueue.dequeue_any has its claims for that."
    )
    stock.push_job_id("lost")
    assert Queue.dequeue_any([stock], None, connection=client, serializer=JSONSerializer) is None
    assert client.lrange(stock.intermediate_queue_key, 0, -1) == [b"lost"], (
        "rq.Queue.dequeue_any does something about an id without a job now: LineQueue.job_to_run builds it again."
    )
