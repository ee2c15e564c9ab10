"""The contract with RQ: the behaviour of every name of RQ's that is overridden or relied upon.

A new release of RQ that behaves otherwise fails here, with a sentence that names the change and the code that relies on
it. The names are in tests/support/rq_inventory.py; an override or an import of RQ's without an entry there fails here,
too. Changed signatures, and attributes that are gone, fail `make check`: RQ is typed, and mypy compares it with the code.
"""

import ast
import importlib
import inspect
import json
import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import django_rq
import psutil
import pytest
import redis
from django.conf import settings
from django.core.management import load_command_class
from django.db import transaction
from django_rq.queues import DjangoRQ
from django_rq.workers import get_worker_class
from packaging.requirements import Requirement
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import worker_registration
from rq.command import send_stop_job_command
from rq.defaults import DEFAULT_JOB_MONITORING_INTERVAL
from rq.exceptions import DequeueTimeout, DeserializationError, InvalidJobOperation, NoSuchJobError, StopRequested
from rq.job import Job, JobStatus
from rq.queue import Queue
from rq.scheduler import RQScheduler
from rq.serializers import DefaultSerializer, JSONSerializer
from rq.timeouts import JobTimeoutException
from rq.utils import as_text, utcparse
from rq.worker import Worker
from rq.worker.base import WorkerStatus
from rq.worker_pool import WorkerPool

from queueing.line import clients, keys, workers
from queueing.line.jobs import FAILURE_TTL, RUNNER, is_entry_job, job_key, read_job, save_job
from queueing.line.places import Line
from queueing.line.queue import IDLE_WAIT, LineQueue, get_queue
from queueing.work.worker import PresenceWorker
from tests.support.clocks import QUICK
from tests.support.paths import ROOT
from tests.support.processes import Processes
from tests.support.recording import note_calls
from tests.support.rq_inventory import OVERRIDES, RELIED_UPON, WRITTEN_FOR, Override, Reliance
from tests.support.servers import free_port
from tests.support.waiting import wait_for

# --- The version


@pytest.mark.parametrize("package", WRITTEN_FOR)
def test_the_installed_version_is_the_one_this_contract_was_written_for(package: str) -> None:
    lines = (line.partition("#")[0].strip() for line in (ROOT / "requirements.in").read_text().splitlines())
    allowed = {line.name: line.specifier for line in map(Requirement, filter(None, lines))}[package]
    assert allowed == Requirement(package + WRITTEN_FOR[package]).specifier, (
        f"requirements.in allows {package}{allowed}, and this contract was written for {WRITTEN_FOR[package]}: "
        f"read the changes of every name in its inventory, mend the tests that fail here, and then move WRITTEN_FOR."
    )
    assert allowed.contains(version(package)), (
        f"{package} {version(package)} is installed, and this contract was written for {WRITTEN_FOR[package]}: "
        f"run `make lock`, or, to move on, read the changes of every name in its inventory."
    )


# --- The inventory is complete


def rqs_bases(cls: type) -> list[type]:
    return [base for base in cls.__mro__[1:] if base is not object]


def overridden(cls: type) -> set[str]:
    """Names that a class defines and that a base of RQ's has, too, without those that Python writes into each class."""
    written_by_python = {name for name in vars(cls) if name.startswith("__") and name != "__init__"}
    return {name for name in set(vars(cls)) - written_by_python if any(name in vars(b) for b in rqs_bases(cls))}


def own_attributes(cls: type) -> set[str]:
    """Names of a class and of its instances that are not RQ's."""
    assigned = getattr(cls, "__static_attributes__", ())  # known since Python 3.13
    return (set(vars(cls)) | set(assigned)) - overridden(cls)


@pytest.mark.parametrize("cls", OVERRIDES, ids=lambda cls: cls.__name__)
def test_every_override_has_a_contract(cls: type) -> None:
    found, written = overridden(cls), {override.name for override in OVERRIDES[cls]}
    missing, stale = found - written, written - found
    assert not missing, (
        f"{cls.__name__} has names that RQ has, too, without a contract: {sorted(missing)}. Meant as overrides: give "
        f"them entries in rq_inventory.OVERRIDES. Not meant: RQ's are new, and the names of ours must change."
    )
    assert not stale, f"OVERRIDES has entries that {cls.__name__} or RQ does not have any more: {sorted(stale)}"


@pytest.mark.parametrize("cls", OVERRIDES, ids=lambda cls: cls.__name__)
def test_rq_sets_nothing_on_its_objects_that_is_ours(cls: type, client: redis.Redis) -> None:
    plain = Worker(["probe"], connection=client) if cls is PresenceWorker else DjangoRQ("probe", connection=client)
    taken = own_attributes(cls) & set(vars(plain))
    assert not taken, f"RQ's {type(plain).__name__} has attributes that {cls.__name__} uses otherwise: {sorted(taken)}"


def test_every_import_from_rq_has_a_contract() -> None:
    covered = [reliance.path for reliance in RELIED_UPON]
    covered += [f"{base.__module__}.{base.__name__}.x" for cls in OVERRIDES for base in rqs_bases(cls)]
    covered.append("rq.worker.Worker.x")  # where its base is exported
    imported = {name for path in sorted((ROOT / "queueing").rglob("*.py")) for name in imports_of_rq(path)}
    assert {"rq.job.Job", "django_rq.queues.DjangoRQ"} <= imported
    bare = {name for name in imported if not any(f"{path}.".startswith(f"{name}.") for path in covered)}
    assert not bare, f"The code imports {sorted(bare)}, and RELIED_UPON has no entry that says what for."


def imports_of_rq(path: Path) -> Iterator[str]:
    """Dotted names of RQ's that a module imports, by statement or by `import_module`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in {"rq", "django_rq"}:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] in {"rq", "django_rq"})
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "import_module":
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str))


def named_tests() -> list[str]:
    overrides = [override for overrides in OVERRIDES.values() for override in overrides]
    entries: list[Override | Reliance] = [*overrides, *RELIED_UPON]
    return sorted({name for entry in entries for name in entry.shown_by.split()})


@pytest.mark.parametrize("name", named_tests())
def test_the_tests_that_the_inventory_names_exist(name: str) -> None:
    module, _, function = name.rpartition(".")
    there = vars(importlib.import_module(f"tests.{module}")) if module else globals()
    assert function in there, f"The inventory says that {name} shows what RQ does, and there is no such test."


@pytest.mark.parametrize("reliance", RELIED_UPON, ids=lambda reliance: reliance.path)
def test_rq_still_has_the_names_that_are_relied_upon(reliance: Reliance) -> None:
    assert resolve(reliance.path) is not None, f"{reliance.path} is gone: {reliance.why}"


def resolve(path: str) -> Any:
    """The object at a dotted path; None when a part of it is missing."""
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for name in parts[count:]:
            found = getattr(found, name, None)
        return found
    return None


# --- RQ and a queue


@pytest.fixture
def client() -> Iterator[redis.Redis]:
    """A client of the test's own: a worker changes the timeouts and the name of its connection."""
    client = redis.Redis.from_url(settings.REDIS_URL)
    yield client
    client.close()


@pytest.fixture
def stock(client: redis.Redis) -> Queue:
    """A plain queue of the same name as `queue`. RQ builds such queues in many places."""
    return Queue("probe", connection=client, serializer=JSONSerializer)


def inbox(client: redis.Redis) -> list[bytes]:
    return cast("list[bytes]", client.lrange("rq:queue:probe", 0, -1))


@dataclass
class Asked:
    """A call on a queue of RQ's, and the overrides that it must reach."""

    does: Callable[[Queue], Any]
    reaches: list[tuple[str, dict[str, Any]]]


def enqueue(queue: Queue, **options: Any) -> Job:
    return queue.enqueue("tests.support.foreign.note", "a label", job_id="foreign", **options)


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
    line.place("here", 1, presence=10)
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


# --- Jobs


def save(client: redis.Redis, job_id: str) -> dict[str, str]:
    """Stores the job of an entry, as a place does; returns its hash, without the data."""
    with client.pipeline() as pipe:
        save_job(pipe, "probe", job_id)
        pipe.execute()
    stored = cast("dict[bytes, bytes]", client.hgetall(job_key(job_id)))
    return {name.decode(): value.decode() for name, value in stored.items() if name != b"data"}


def test_a_saved_job_has_the_fields_that_scripts_and_workers_read(client: redis.Redis) -> None:
    saved = save(client, "a" * 32)
    known = {name: saved[name] for name in ("status", "origin", "description", "timeout")}
    assert known == {"status": "queued", "origin": "probe", "description": "a" * 32, "timeout": "180"}, (
        "rq.job.Job.to_dict has other fields: lua/claim.lua reads `description`, LineQueue.fetch_job `origin`."
    )
    assert (saved["result_ttl"], saved["failure_ttl"]) == ("0", str(FAILURE_TTL)), (
        "rq.job.Job.create takes other lives: jobs.save_job keeps no job that is done."
    )
    age = datetime.now(UTC) - utcparse(saved["created_at"])
    assert abs(age) < timedelta(seconds=30), "rq.utils.now or utcformat changed: jobs.save_job writes created_at."
    read = Job.fetch("a" * 32, connection=client, serializer=JSONSerializer)
    assert (read.func_name, read.origin, read.get_status()) == (RUNNER, "probe", JobStatus.QUEUED)
    assert (read.timeout, read.result_ttl, read.failure_ttl) == (180, 0, FAILURE_TTL)


def test_a_foreign_job_has_a_description_that_is_not_its_id(stock: Queue, client: redis.Redis) -> None:
    assert client.hget(enqueue(stock).key, "description") not in {None, b"", b"foreign"}, (
        "rq.Queue.enqueue gives jobs no description of their own any more: lua/claim.lua knows by it whose job it is."
    )


@pytest.mark.parametrize("compress", [zlib.compress, bytes], ids=["compressed", "plain"])
def test_data_is_read_compressed_and_plain(compress: Callable[[bytes], bytes], client: redis.Redis) -> None:
    save(client, "id")
    client.hset("rq:job:id", "data", compress(json.dumps(["x.y", None, [1], {"z": 2}]).encode()))
    job = Job.fetch("id", connection=client, serializer=JSONSerializer)
    assert (job.func_name, job.instance, list(job.args), job.kwargs) == ("x.y", None, [1], {"z": 2}), (
        "rq.job.Job.restore reads `data` otherwise: entries that wait were saved as (function, instance, args, kwargs)."
    )


def test_a_job_that_cannot_be_fetched_says_so(client: redis.Redis) -> None:
    fetch = partial(Job.fetch, connection=client, serializer=JSONSerializer)
    sentence = "rq.job.Job.fetch raises something else for a job that is %s: jobs.read_job and is_entry_job catch it."
    assert raised_by(lambda: fetch("missing")) is NoSuchJobError, sentence % "missing"
    client.hset("rq:job:no-data", "status", "queued")
    assert raised_by(lambda: fetch("no-data")) is NoSuchJobError, sentence % "without data"
    save(client, "rubbish")
    client.hset("rq:job:rubbish", "data", b"rubbish")
    job = fetch("rubbish")  # the data is read when it is asked for
    assert raised_by(lambda: job.func_name) is DeserializationError, sentence % "unreadable"
    for job_id in ("missing", "no-data", "rubbish"):
        assert read_job(client, job_id) is None
        assert is_entry_job(job_id)


def raised_by(function: Callable[[], Any]) -> type[Exception] | None:
    try:
        function()
    except Exception as error:  # noqa: BLE001  # the error is the answer
        return type(error)
    return None


def test_a_timeout_is_an_exception_like_others() -> None:
    assert issubclass(JobTimeoutException, Exception), (
        "rq.timeouts.JobTimeoutException is no Exception any more: a task's own cleanup may rely on it."
    )


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
    assert stock.dequeue_timeout > workers.ALIVE, (
        "rq.worker.Worker.dequeue_timeout is short now: PresenceWorker.dequeue_timeout is not needed any more."
    )
    assert stock.job_monitoring_interval == DEFAULT_JOB_MONITORING_INTERVAL >= 30, (
        "rq.worker.Worker.job_monitoring_interval is another: PresenceWorker sets it to a third of a lease."
    )
    ours = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2)
    PresenceWorker(["probe"], connection=ours)
    assert ours.connection_pool.connection_kwargs["socket_timeout"] == IDLE_WAIT + 10, (
        "rq.worker.Worker does not take a connection's timeout from connection_timeout: PresenceWorker overrides it."
    )
    ours.close()


@pytest.fixture
def worker(client: redis.Redis) -> PresenceWorker:
    """A worker whose `work` is never called; tests call its methods one by one, as RQ does."""
    worker = PresenceWorker(["probe"], name="ours", connection=client)
    worker.register_birth()
    return worker


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
    assert worker.dequeue_job_and_maintain_ttl(7) is None, "rq.worker.Worker does not pass on that there is nothing."
    assert len(asked) == 3, "rq.worker.Worker does not ask again after a DequeueTimeout of LineQueue.dequeue_any."
    assert asked[0] == {
        "queues": worker.queues,
        "timeout": 7,
        "connection": client,
        "job_class": Job,
        "serializer": JSONSerializer,
        "death_penalty_class": worker.death_penalty_class,
    }, "rq.worker.Worker calls dequeue_any with other arguments: LineQueue.dequeue_any overrides it."
    queue = worker.line_queues[0]
    job = queue.job_to_run("next")
    answers.append((job, queue))
    assert worker.dequeue_job_and_maintain_ttl(7) == (job, queue), (
        "rq.worker.Worker does not run the job that LineQueue.dequeue_any gives it."
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
    line.place("claimed", 5, presence=10)
    line.claim(worker.name)
    line.claim("another")
    worker.teardown()
    assert (line.claims(), line.ids()) == ({}, ["claimed"])
    assert line.client.hexists(worker.key, "death"), (
        "rq.worker.Worker.teardown registers no death: PresenceWorker.teardown, which overrides it, leaves that to it."
    )


# --- A worker's signs of life


def test_a_worker_is_counted_from_its_birth_to_its_death(client: redis.Redis) -> None:
    stock = Worker(["probe"], connection=client)
    stock.register_birth()
    assert worker_registration.get_keys(queue=get_queue("probe")) == {stock.key}, (
        "rq.worker_registration.get_keys answers otherwise: workers.live_workers counts those keys."
    )
    beat = utcparse(as_text(client.hget(stock.key, "last_heartbeat") or b""))
    assert abs(datetime.now(UTC) - beat) < timedelta(seconds=30), (
        "rq.utils.utcparse or the field last_heartbeat of rq:worker:<name> changed: workers.live_workers reads it."
    )
    assert len(workers.live_workers("probe")) == 1, (
        "A stock worker is not counted: workers.live_workers reads what RQ writes."
    )
    stock.set_state(WorkerStatus.BUSY)
    assert workers.live_workers("probe") == ["busy"], (
        "rq.worker.Worker.set_state writes another word: facts.collect_facts counts the busy ones."
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


WITHOUT_A_HORSE = """
import django, redis, rq
django.setup()
from django.conf import settings
from queueing.work.worker import PresenceWorker
client = redis.Redis.from_url(settings.REDIS_URL)
PresenceWorker(["probe"], connection=client).kill_horse()
print("ours lives", flush=True)
rq.Worker(["probe"], connection=client).kill_horse()
print("stock lives", flush=True)
"""


def test_without_a_horse_rq_kills_its_own_process_group() -> None:
    process = subprocess.run(
        [sys.executable, "-c", WITHOUT_A_HORSE],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
        start_new_session=True,  # the group that is killed is its own, not that of the tests
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ours lives" in process.stdout, (
        f"PresenceWorker.kill_horse without a horse kills its own group. {process.stderr}"
    )
    assert process.returncode == -signal.SIGKILL, (
        "rq.worker.Worker.kill_horse without a horse kills nobody now: PresenceWorker.kill_horse need not guard it."
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


# --- The life of a worker: one process on two lines, with a record of its calls


@dataclass
class Life:
    """The record of the calls, and the state of the worker and its jobs in Redis afterwards."""

    records: list[dict[str, Any]]
    jobs: dict[str, dict[str, Any]]
    name: str
    exit_status: int | None
    broke_off: str  # the first step that did not happen

    def calls(self, *names: str, event: str = "call") -> list[dict[str, Any]]:
        return [record for record in self.records if record["event"] == event and record.get("name") in names]


JOBS = ("report", "fail", "die", "sleep")
RECORDER = "tests.support.recording.RecordingWorker"


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """A worker is born, runs a job that reports, one that fails, one that dies, one that is stopped, and is stopped."""
    folder = tmp_path_factory.mktemp("life")
    client, path = clients.connection(), folder / "calls"
    client.flushall()
    path.touch()
    queue = LineQueue("probe", connection=client, commit_mode="auto")
    for name in JOBS:
        queue.enqueue(f"tests.support.recording.{name}", job_id=name, result_ttl=0, failure_ttl=FAILURE_TTL)
    processes = Processes(folder)
    processes.use(QUICK)
    try:
        process = processes.manage("rqworker", "tables", "probe", "--worker-class", RECORDER, CALLS=str(path))
        broke_off = live(process, client, path)
        records = [json.loads(record) for record in path.read_text().splitlines()]
        name = next((as_text(key) for key in client.scan_iter("rq:worker:*", _type="hash")), "")
        known = {job_id: look_at(queue, job_id) for job_id in JOBS}
        yield Life(records, known, name.removeprefix("rq:worker:"), process.poll(), broke_off)
    finally:
        processes.stop()
        print(processes.logs())  # noqa: T201  # pytest shows it when a test fails


def live(process: "subprocess.Popen[bytes]", client: redis.Redis, calls: Path) -> str:
    """Lead a worker through its jobs. Returns the first step that did not happen, so that the tests can name it."""
    try:
        step = "runs the jobs, and looks twice after the last"
        wait_for(lambda: calls.read_text().count(LOOKED) >= 2, 15)
        step = "stops the job"
        send_stop_job_command(client, "sleep", serializer=JSONSerializer)
        wait_for(lambda: client.hget("rq:job:sleep", "status") == b"stopped", 15)
        step = "is idle again"
        wait_for(lambda: b"idle" in {client.hget(key, "state") for key in client.smembers("rq:workers")}, 15)
        step = "ends when it is told to"
        process.terminate()
        wait_for(lambda: process.poll() is not None, 15)
    except (AssertionError, InvalidJobOperation) as error:
        return f"{step} ({error})"
    return ""


LOOKED = '"event": "call", "name": "maintain_heartbeats"'


def look_at(queue: LineQueue, name: str) -> dict[str, Any]:
    client, key = queue.connection, Job.key_for(name)
    return {
        "exists": bool(client.exists(key)),
        "status": client.hget(key, "status"),
        "in_failed_registry": client.zscore(f"rq:failed:{queue.name}", name) is not None,
        "life": client.ttl(key),
    }


def test_a_worker_lives_through_its_jobs(life: Life) -> None:
    assert not life.broke_off, f"There is a step that rq.worker.Worker does not take any more: {life.broke_off}"


CALLED = [override for override in OVERRIDES[PresenceWorker] if override.where]


@pytest.mark.parametrize("override", CALLED, ids=lambda override: override.name)
def test_rq_calls_it(override: Override, life: Life) -> None:
    assert {call["where"] for call in life.calls(override.name)} == set(override.where.split()), (
        f"RQ does not call Worker.{override.name} in its {override.where} as before: "
        f"PresenceWorker.{override.name} overrides it, so that {override.why}"
    )


def test_a_worker_that_was_stopped_ends_well(life: Life) -> None:
    assert life.exit_status == 0, "rq.worker.Worker.work does not end with 0 after a SIGTERM: a supervisor expects it."


def test_a_job_goes_its_way_in_the_worker(life: Life) -> None:
    steps = ("execute_job", "fork_work_horse", "monitor_work_horse", "wait_for_horse")
    calls = [call["name"] for call in life.calls(*steps)]
    assert calls[:4] == list(steps), (
        "rq.worker.Worker.execute_job takes other steps: PresenceWorker overrides it and monitor_work_horse."
    )


def test_a_horse_is_set_up_before_its_job_starts(life: Life) -> None:
    steps = ("main_work_horse", "setup_work_horse_signals", "perform_job")
    calls = [call["name"] for call in life.calls(*steps) if call["where"] == "horse"]
    assert calls[:3] == list(steps), (
        "rq.worker.Worker.main_work_horse takes other steps: PresenceWorker.setup_work_horse_signals must come first."
    )


def report_of(life: Life) -> dict[str, Any]:
    reports = [record for record in life.records if record["event"] == "report"]
    assert len(reports) == 1, "rq.worker.Worker.perform_job does not call the function of a job, or calls it twice."
    return reports[0]


def test_a_horse_knows_its_worker_and_job(life: Life) -> None:
    assert report_of(life)["environment"] == {"RQ_WORKER_ID": life.name, "RQ_JOB_ID": "report"}, (
        "rq.worker.Worker.fork_work_horse sets another environment: runner.run reads its worker in RQ_WORKER_ID."
    )


def test_the_function_of_a_job_can_ask_for_its_job(life: Life) -> None:
    assert report_of(life)["current_job"] == "report", (
        "rq.get_current_job does not give the job inside of rq.job.Job.perform: a runner without arguments asks for it."
    )


def test_a_horse_has_its_own_group_signals_and_alarm(life: Life) -> None:
    report = report_of(life)
    assert report["leads_its_group"], "rq.worker.Worker.fork_work_horse gives the horse no group: kill_horse kills it."
    assert report["ignores_sigint"], "rq.worker.Worker.setup_work_horse_signals lets Ctrl-C end a horse."
    assert report["ends_at_sigterm"], "rq.worker.Worker.setup_work_horse_signals leaves SIGTERM as it is in the worker."
    assert report["has_an_alarm"], "rq.worker.Worker.perform_job sets no alarm: a task's timeout comes by SIGALRM."


def test_a_job_that_is_done_leaves_no_hash(life: Life) -> None:
    assert not life.jobs["report"]["exists"], (
        "rq.worker.Worker.handle_job_success keeps a job whose result_ttl is 0: PresenceWorker relies on that."
    )


def test_a_job_that_raised_is_in_the_failed_registry(life: Life) -> None:
    for name in ("fail", "die"):
        assert (life.jobs[name]["status"], life.jobs[name]["in_failed_registry"]) == (b"failed", True), (
            f"rq.worker.Worker.handle_job_failure does not keep a job whose function does {name!r}."
        )
        assert 0 < life.jobs[name]["life"] <= FAILURE_TTL, (
            "rq.job.Job.cleanup gives a failed job another life than its failure_ttl: jobs.save_job sets that."
        )


def test_a_job_that_was_stopped_is_kept_as_stopped(life: Life) -> None:
    assert (life.jobs["sleep"]["status"], life.jobs["sleep"]["in_failed_registry"]) == (b"stopped", True), (
        "rq.command.send_stop_job_command stops a job otherwise: PresenceWorker ends the row, RQ keeps the job."
    )
    given = [call["arguments"] for call in life.calls("_handle_stopped_job")]
    assert given == [{"job": "Job", "queue": "LineQueue", "execution": "Execution"}], (
        "rq.worker.Worker._handle_stopped_job gets something else: PresenceWorker overrides it to end the row."
    )


def test_a_horse_that_ends_is_told_with_its_status(life: Life) -> None:
    ended = [record["value"] for record in life.calls("wait_for_horse", event="return")]
    assert all(len(value) == 3 for value in ended), (
        "rq.worker.Worker.wait_for_horse is not (pid, status, rusage) any more."
    )
    assert [status for _, status, _ in ended] == [0, 0, 3 << 8, signal.SIGKILL], (
        "rq.worker.Worker.wait_for_horse gives other statuses for jobs that return, raise, exit with 3, and are killed."
    )
    performed = [record["value"] for record in life.calls("perform_job", event="return")]
    assert performed == [True, False], "rq.worker.Worker.perform_job does not say whether the function raised."


def test_rq_looks_after_a_running_job_at_each_interval(life: Life) -> None:
    errors = {record["error"] for record in life.calls("wait_for_horse", event="raise")}
    assert errors == {"HorseMonitorTimeoutException"}, (
        "rq.worker.Worker.wait_for_horse is broken off by something else."
    )
    looks = [call["at"] for call in life.calls("maintain_heartbeats")]
    sentence = (
        "rq.worker.Worker.monitor_work_horse does not call maintain_heartbeats each job_monitoring_interval: "
        "PresenceWorker.maintain_heartbeats renews the lease in it."
    )
    assert len(looks) >= 2, sentence
    first, second, *_ = looks
    assert QUICK["LEASE"] / 3 - 0.1 < second - first < QUICK["LEASE"], sentence
    between = life.calls("heartbeat")
    given = [call["arguments"] for call in between if first <= call["at"] < second and call["where"] == "worker"]
    assert given == [{"timeout": 61, "pipeline": "Pipeline"}], (
        "rq.worker.Worker.maintain_heartbeats calls heartbeat otherwise: PresenceWorker.heartbeat overrides it."
    )


def test_a_worker_serves_its_lines_in_turn(client: redis.Redis, life: Life) -> None:
    assert {call["where"] for call in life.calls("reorder_queues")} == {"worker"}, (
        "rq.worker.Worker.work does not turn its queues after a job: a busy line starves the others."
    )
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


def test_django_rqs_command_makes_a_worker_with_these(life: Life) -> None:
    made = [call["arguments"] for call in life.calls("__init__")]
    named = {"connection", "exception_handlers", "job_class", "queue_class", "name", "worker_ttl", "serializer"}
    assert [(each["queues"], set(each["kwargs"])) for each in made] == [(["LineQueue", "LineQueue"], named)], (
        "django_rq.get_worker makes workers with other arguments: PresenceWorker.__init__ overrides some of them."
    )
