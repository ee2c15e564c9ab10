"""The contract with RQ: how workers are made, how they wait, and their signs of life."""

import inspect
import subprocess
import time
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import django_rq
import psutil
import pytest
import redis
from django.conf import settings
from django.core.management import load_command_class
from django.db import connection
from django.utils import timezone
from django_rq.workers import get_worker_class
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import suspension, worker_registration
from rq.defaults import DEFAULT_JOB_MONITORING_INTERVAL
from rq.exceptions import DequeueTimeout, StopRequested
from rq.queue import Queue
from rq.serializers import DefaultSerializer, JSONSerializer
from rq.suspension import resume, suspend
from rq.worker import Worker
from rq.worker.base import WorkerStatus
from rq.worker_pool import WorkerPool

from queueing.line import workers
from queueing.line.jobs import LineJob
from queueing.line.places import Line
from queueing.line.queue import LineQueue, get_queue
from queueing.work.lease import Lease
from queueing.work.worker import PresenceWorker
from tests.support.servers import free_port
from tests.support.standing import stand
from tests.support.stock_rq import enqueue, raised_by

# --- How workers are made


def test_django_rq_builds_our_classes_by_setting() -> None:
    built = django_rq.get_queue("probe")
    assert type(built) is LineQueue, "django_rq.get_queue does not honour QUEUE_CLASS of the setting RQ any more."
    worker = django_rq.get_worker("tables", "probe", name="built", serializer="rq.serializers.DefaultSerializer")
    assert type(worker) is PresenceWorker, (
        "django_rq.get_worker does not honour WORKER_CLASS of the setting RQ any more."
    )
    assert worker.serializer is JSONSerializer, (
        "rq.worker.Worker takes its serializer elsewhere than from its argument."
    )
    assert [(type(queue), queue.name, queue.worker_name) for queue in worker.line_queues] == [
        (LineQueue, "tables", "built"),
        (LineQueue, "probe", "built"),
    ], "rq.worker.Worker changed its queues or its name: PresenceWorker writes its name into its queues."
    assert worker._ordered_queues == worker.queues, "rq.worker.Worker asks other queues than those it was given."
    for each in (built, worker):
        each.connection.close()


def test_a_pool_hands_over_plain_queues_and_pickle(client: redis.Redis) -> None:
    assert get_worker_class(None) is PresenceWorker, "django_rq.workers.get_worker_class ignores WORKER_CLASS."
    pool = WorkerPool(["probe"], connection=client, worker_class=PresenceWorker)
    assert type(pool.queues[0]) is Queue, (
        "rq.WorkerPool hands over our queues now: PresenceWorker need not replace them."
    )
    assert pool.serializer is DefaultSerializer, "rq.WorkerPool does not hand over pickle any more."
    assert raised_by(lambda: Worker(pool.queues, connection=client, queue_class=LineQueue)) is TypeError, (
        "rq.worker.Worker takes plain queues beside a queue class: PresenceWorker need not replace them."
    )
    worker = PresenceWorker(  # as rq.worker_pool.run_worker does it
        pool.queues,
        name="pooled",
        connection=client,
        serializer=pool.serializer,
        job_class=pool.job_class,
        queue_class=pool.queue_class,
        exception_handlers=pool.exception_handlers,
    )
    assert ([type(queue) for queue in worker.queues], worker.serializer) == ([LineQueue], JSONSerializer)


def test_django_rqs_commands_are_what_ours_extend() -> None:
    for name in ("rqworker", "rqworker-pool"):
        stock = load_command_class("django_rq", name)
        assert issubclass(type(load_command_class("queueing", name)), type(stock))
        options = stock.create_parser("manage.py", name).parse_args([])
        assert (options.args, options.serializer) == ([], "rq.serializers.DefaultSerializer"), (
            f"django_rq's {name} takes other arguments: ours names every line, and never pickle, when none is given."
        )
        assert options.worker_class is None, f"django_rq's {name} names a worker class, and WORKER_CLASS is ignored."


def test_rq_finds_a_worker_by_its_key(client: redis.Redis) -> None:
    PresenceWorker(["probe"], name="found", connection=client).register_birth()
    found = PresenceWorker.all(connection=client)
    assert [(type(worker), worker.name, worker.queue_names()) for worker in found] == [
        (PresenceWorker, "found", ["probe"])
    ], "rq.worker.Worker.find_by_key makes workers otherwise: PresenceWorker.__init__ must take its arguments."


# --- RQ and a worker that waits


def test_rqs_own_timeouts_of_a_worker_are_too_long(client: redis.Redis) -> None:
    stock = Worker(["probe"], connection=client)
    assert stock.dequeue_timeout > workers.WORKER_TTL, (
        "rq.worker.Worker.dequeue_timeout is short now: PresenceWorker.dequeue_timeout is not needed any more."
    )
    assert stock.job_monitoring_interval == DEFAULT_JOB_MONITORING_INTERVAL >= 30, (
        "rq.worker.Worker.job_monitoring_interval is another: PresenceWorker sets it to a third of a lease."
    )
    assert stock.connection_timeout > 60, (
        "rq.worker.Worker.connection_timeout is short now: PresenceWorker.connection_timeout is not needed any more."
    )
    ours = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=60)
    PresenceWorker(["probe"], connection=ours)
    assert ours.connection_pool.connection_kwargs["socket_timeout"] == settings.REDIS_TIMEOUT, (
        "rq.worker.Worker does not take a connection's timeout from connection_timeout: PresenceWorker overrides it."
    )
    ours.close()


def test_a_worker_asks_our_queue_class_for_its_next_job(client: redis.Redis) -> None:
    asked: list[dict[str, Any]] = []
    signature = inspect.signature(LineQueue.dequeue_any)
    answers: list[Any] = [DequeueTimeout(1, ["x"]), DequeueTimeout(1, ["x"]), None]

    class AskedQueue(LineQueue):
        @classmethod
        def dequeue_any(cls, *args: Any, **kwargs: Any) -> Any:
            asked.append(signature.bind(*args, **kwargs).arguments)
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

    worker = PresenceWorker([AskedQueue("probe", connection=client)], connection=client)
    worker.queue_class = AskedQueue
    assert worker.dequeue_job_and_maintain_ttl(7) is None, "Burst mode does not end when there is no job."
    assert len(asked) == 3, "A worker does not ask again after a DequeueTimeout of LineQueue.dequeue_any."
    stock = Worker(["probe"], connection=client)
    stock.queue_class = AskedQueue
    answers.append(None)
    assert stock.dequeue_job_and_maintain_ttl(7) is None
    assert asked.pop().keys() == asked[0].keys(), (
        "rq.worker.Worker calls dequeue_any with other arguments: PatientWorker replaces that call."
    )
    assert asked[0] == {
        "queues": worker.queues,
        "timeout": 7,
        "connection": client,
        "job_class": LineJob,
        "serializer": JSONSerializer,
        "death_penalty_class": worker.death_penalty_class,
    }, "A worker calls dequeue_any with other arguments: LineQueue.dequeue_any overrides RQ's."
    queue = worker.line_queues[0]
    job = queue.job_to_run("next")
    answers.append((job, queue))
    assert worker.dequeue_job_and_maintain_ttl(7) == (job, queue), (
        "A worker does not run the job that LineQueue.dequeue_any gives it."
    )


def test_a_stop_waits_for_a_busy_worker_only(worker: PresenceWorker) -> None:
    worker.set_state(WorkerStatus.IDLE)
    assert raised_by(worker._shutdown) is StopRequested, (
        "rq.worker.Worker._shutdown does not stop an idle worker at once: it may wait for IDLE_WAIT in LineQueue."
    )
    worker._shutdown_requested_date = datetime.now(UTC)
    worker.set_state(WorkerStatus.BUSY)
    worker._shutdown()
    assert worker._stop_requested, "rq.worker.Worker._shutdown does not wait for a busy worker's job any more."


def test_a_worker_that_stops_gives_its_claim_back(worker: PresenceWorker, line: Line) -> None:
    stand(line, "claimed", 5, presence=10)
    line.claim(worker.name)
    line.claim("another")
    worker.teardown()
    assert (line.claims(), line.ids()) == ({}, ["claimed"])
    assert line.client.hexists(worker.key, "death"), (
        "rq.worker.Worker.teardown registers no death: PresenceWorker.teardown, which overrides it, leaves that to it."
    )


def test_a_worker_serves_its_lines_in_turn(client: redis.Redis) -> None:
    worker = PresenceWorker(["tables", "probe"], name="turning", connection=client)
    for name in ("tables", "probe"):
        for number in range(2):
            LineQueue(name, connection=client).enqueue("tests.support.recording.report", job_id=f"{name}-{number}")
    taken = []
    for _ in range(4):
        found = worker.dequeue_job_and_maintain_ttl(None)
        assert found
        job, queue = found
        taken.append(job.id)
        cast("LineQueue", queue).line.end_claim(worker.name, job.id)
        worker.reorder_queues(queue)
    assert taken == ["tables-0", "probe-0", "tables-1", "probe-1"], (
        "rq.worker.RoundRobinWorker does not turn its queues: PresenceWorker relies on it."
    )


def test_a_worker_that_may_be_idle_for_a_while_ends_then(worker: PresenceWorker) -> None:
    assert worker.dequeue_job_and_maintain_ttl(5, max_idle_time=1) is None


def test_a_suspended_worker_stays_suspended_through_an_outage(
    worker: PresenceWorker, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At RQ's first look Redis is full, at the second the suspension is over."""
    suspend(client)
    client.config_set("maxmemory", 1)

    def pause() -> None:
        client.config_set("maxmemory", 0)
        resume(client)

    monkeypatch.setattr(worker.outage, "pause", pause)
    try:
        worker.check_for_suspension(burst=False)
        assert client.config_get("maxmemory")["maxmemory"] == "0", (
            "rq.worker.Worker.check_for_suspension writes nothing now: it need not be asked again."
        )
    finally:
        client.config_set("maxmemory", 0)


@pytest.mark.django_db(transaction=True)
def test_a_worker_without_a_database_pauses_before_the_next_claim(worker: PresenceWorker) -> None:
    """Without a pause an idle worker would claim the same entry, and fork, a hundred times a second."""
    connection.cursor().execute("ALTER TABLE queueing_entry RENAME TO elsewhere")
    began = time.monotonic()
    try:
        worker._settle(Lease(worker.name, "0" * 32), worker.line_queues[0])
    finally:
        connection.cursor().execute("ALTER TABLE elsewhere RENAME TO queueing_entry")
    assert time.monotonic() - began >= 1


# --- A worker's signs of life


def test_suspended_workers_are_known(client: redis.Redis) -> None:
    assert not workers.are_suspended("probe")
    suspension.suspend(client)
    assert workers.are_suspended("probe"), (
        "rq.suspension.is_suspended reads another key than suspend: pages promise seconds."
    )
    suspension.resume(client)
    assert not workers.are_suspended("probe")


def test_a_worker_is_counted_from_its_birth_to_its_death(client: redis.Redis) -> None:
    stock = PresenceWorker(["probe"], connection=client)
    stock.register_birth()
    assert worker_registration.get_keys(queue=get_queue("probe")) == {stock.key}, (
        "rq.worker_registration.get_keys answers otherwise: workers.live_workers counts those keys."
    )
    assert stock.key == f"rq:worker:{stock.name}", (
        "rq.worker.Worker.key has another prefix: workers.live_workers takes the name of the worker from it."
    )
    assert len(workers.live_workers("probe")) == 1, (
        "A worker that was born is not counted: PresenceWorker.register_birth gives a heartbeat."
    )
    stock.set_state(WorkerStatus.BUSY)
    assert [worker.state for worker in workers.live_workers("probe")] == ["busy"], (
        "rq.worker.Worker.set_state writes another word: the keeper's survey counts the busy ones."
    )
    assert workers.all_workers() == [(stock.name, "busy", ("probe",), True)], (
        "rq.worker.Worker.register_birth writes other queues: the forecast takes the lines of a worker from them."
    )
    assert workers.is_served("probe")
    stock._shutdown_requested_date = timezone.now()
    stock.set_shutdown_requested_date()
    assert not workers.is_served("probe"), (
        "rq.worker.Worker.set_shutdown_requested_date writes another field: a stopping worker would count as serving."
    )
    stock.register_death()
    assert client.hget(stock.key, "death"), (
        "rq.worker.Worker.register_death writes no death: workers.live_workers reads it."
    )
    client.sadd("rq:workers:probe", stock.key)
    assert workers.live_workers("probe") == []
    assert 0 < client.ttl(stock.key) <= 60, (
        "rq.worker.Worker.register_death does not let the key end: workers.live_workers reads all keys on the list."
    )


def test_rq_does_not_register_a_worker_again_after_a_flush(worker: PresenceWorker, client: redis.Redis) -> None:
    client.flushall()
    stock = Worker(["probe"], name="stock", connection=client)
    stock.heartbeat()
    assert not client.exists("rq:workers", "rq:workers:probe"), (
        "rq.worker.Worker.heartbeat registers the worker now: PresenceWorker.heartbeat is not needed any more."
    )
    worker.heartbeat()
    for key in ("rq:workers", "rq:workers:probe"):
        assert client.smembers(key) == {worker.key.encode()}, (
            f"rq.worker_registration.register does not write {key}: PresenceWorker.heartbeat calls it for that."
        )


def test_heartbeats_write_a_lost_worker_anew(worker: PresenceWorker, client: redis.Redis, stock: Queue) -> None:
    """RQ reads the answer to the first command of `heartbeat`; ours adds its commands after that one."""
    job = enqueue(stock)
    execution = worker.prepare_execution(job)
    client.delete(worker.key, job.key)
    worker.maintain_heartbeats(job, execution)
    assert client.hget(worker.key, "queues") == b"probe", (
        "rq.worker.Worker.maintain_heartbeats does not write a lost worker anew: the first command of heartbeat told "
        "it so, and PresenceWorker.heartbeat overrides it."
    )
    assert not client.exists(job.key), (
        "rq.worker.Worker.maintain_heartbeats leaves the hash of a job that is done: purge and the claim would find it."
    )
    assert client.smembers("rq:workers:probe") == {worker.key.encode()}


def test_a_redis_that_is_away_ends_rqs_worker_and_not_ours(client: redis.Redis, stock: Queue) -> None:
    for worker in (Worker(["probe"], connection=client), PresenceWorker(["probe"], connection=client)):
        job = enqueue(stock)
        execution = worker.prepare_execution(job)
        worker.connection = redis.Redis(port=free_port(), retry=Retry(NoBackoff(), retries=0))
        away = partial(worker.maintain_heartbeats, job, execution)
        if isinstance(worker, PresenceWorker):
            away()
        else:
            assert raised_by(away) is redis.ConnectionError, (
                "rq.worker.Worker.maintain_heartbeats is guarded now: PresenceWorker.maintain_heartbeats need not be."
            )


def test_a_horse_far_beyond_its_timeout_is_killed_by_the_worker(worker: PresenceWorker, stock: Queue) -> None:
    """The alarm in a horse is not heard inside of C code; the worker kills the horse a minute later."""
    job = enqueue(stock)
    execution = worker.prepare_execution(job)
    job.timeout = -60  # so that this minute is over now
    horse = subprocess.Popen(["sleep", "60"], start_new_session=True)
    worker._horse_pid, worker.job_monitoring_interval = horse.pid, 1
    try:
        worker.monitor_work_horse(job, worker.line_queues[0], execution)
        assert not psutil.pid_exists(horse.pid), (
            "rq.worker.Worker.monitor_work_horse does not end a horse that is a minute beyond its timeout."
        )
    finally:
        horse.kill()
    assert worker.horse_pid == 0, "rq.worker.Worker.monitor_work_horse forgets no horse: kill_horse asks horse_pid."
