"""The contract with RQ: what is in a job's hash, and how it is read."""

import inspect
import json
import re
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

import pytest
import redis
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import Job, JobStatus
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException
from rq.utils import utcparse

from queueing.line import jobs
from queueing.line.jobs import (
    BOOKS,
    CALLS,
    FAILURE_TTL,
    LONGEST_DATA,
    OWN_FIELDS,
    RUNNER,
    UNREAD,
    is_entry_job,
    job_fields,
    job_key,
    job_to_run,
    read_job,
)
from tests.support.stock_rq import enqueue, raised_by


def save(client: redis.Redis, job_id: str) -> dict[str, str]:
    """Stores the job of an entry, as a place does; returns its hash, without the data."""
    fields: dict[Any, Any] = job_fields("probe", job_id)
    client.hset(job_key(job_id), mapping=fields)
    stored = cast("dict[bytes, bytes]", client.hgetall(job_key(job_id)))
    return {name.decode(): value.decode() for name, value in stored.items() if name != b"data"}


def test_a_saved_job_has_the_fields_that_scripts_and_workers_read(client: redis.Redis) -> None:
    saved = save(client, "a" * 32)
    known = {name: saved[name] for name in ("status", "origin", "description", "timeout")}
    assert known == {"status": "queued", "origin": "probe", "description": "a" * 32, "timeout": "180"}, (
        "rq.job.Job.to_dict has other fields: lua/claim.lua reads `description`, LineQueue.fetch_job `origin`."
    )
    assert (saved["result_ttl"], saved["failure_ttl"]) == ("0", str(FAILURE_TTL)), (
        "rq.job.Job.create takes other lives: jobs.job_fields keeps no job that is done."
    )
    age = datetime.now(UTC) - utcparse(saved["created_at"])
    assert abs(age) < timedelta(seconds=30), "rq.utils.now or utcformat changed: jobs.job_fields writes created_at."
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
        assert is_entry_job(client, job_id)


def test_a_timeout_is_an_exception_like_others() -> None:
    assert issubclass(JobTimeoutException, Exception), (
        "rq.timeouts.JobTimeoutException is no Exception any more: a task's own cleanup may rely on it."
    )


CALLED: dict[Any, Any] = {f"{kind}_callback_name": "os.getcwd" for kind in ("success", "failure", "stopped")} | {
    "webhooks": '[{"url": "http://127.0.0.1/", "job_status": "failed"}]'
}


def called_by(job: Job) -> list[object]:
    """The functions and addresses that RQ calls when the job ends."""
    found = [job.success_callback, job.failure_callback, job.stopped_callback, *job.webhooks]
    return [call for call in found if call is not None]


@pytest.mark.parametrize("function", [RUNNER, "x.y"])
def test_a_hash_names_nothing_that_is_called(function: str, client: redis.Redis) -> None:
    save(client, "id")
    client.hset("rq:job:id", mapping=CALLED | {"data": json.dumps([function, None, [], {}])})
    stock = Job.fetch("id", connection=client, serializer=JSONSerializer)
    assert len(called_by(stock)) == 4, (
        "rq.job.Job.restore reads callbacks and webhooks from other fields: see jobs.CALLS."
    )
    job = read_job(client, "id")
    assert job is not None
    assert called_by(job) == []
    assert set(job.surplus) == set(CALLED)


def test_the_fields_that_rq_reads_are_known(client: redis.Redis) -> None:
    """A new field of RQ's is looked at before it counts: could it name what is called?"""
    read = set(re.findall(r"""obj(?:\.get\(|\[)'(\w+)'""", inspect.getsource(Job.restore)))
    read |= set(re.findall(r"""'(\w+)' in obj""", inspect.getsource(Job.restore)))
    harmless = {"allow_dependency_failures", "dependency_id", "dependency_ids", "enqueue_at_front"}
    harmless |= {"enqueue_at_front_on_retry", "group_id", "meta", "number_of_retries", "rate_limit_concurrency"}
    harmless |= {
        "rate_limit_key",
        "repeat_intervals",
        "repeats_left",
        "result",
        "retries_left",
        "retry_intervals",
        "ttl",
    }
    harmless |= {f"{kind}_callback_timeout" for kind in ("success", "failure", "stopped")}
    assert read == OWN_FIELDS | BOOKS | CALLS | UNREAD | harmless, (
        "rq.job.Job.restore reads other fields: look what RQ does with them, and see jobs.LineJob."
    )


def test_an_entrys_job_is_made_from_its_id(client: redis.Redis) -> None:
    """Each field that RQ knows is in the hash, and none of them in the job that a worker gets."""
    job_id = "a" * 32
    save(client, job_id)
    asked = dict.fromkeys(("repeats_left", "retries_left", "number_of_retries", "ttl", "rate_limit_concurrency"), 5)
    lists = {"repeat_intervals": "[0]", "retry_intervals": "[0]", "dependency_ids": '["x"]', "meta": '{"a": 1}'}
    texts = {
        "origin": "tables",
        "timeout": 7,
        "result_ttl": 9,
        "failure_ttl": 9,
        "group_id": "g",
        "rate_limit_key": "r",
    }
    data = json.dumps([RUNNER, "an instance", [1], {"a": 2}])
    hostile: dict[Any, Any] = (
        CALLED | asked | lists | texts | {"data": data, "description": "x", "created_at": "2026-01-01T00:00:00Z"}
    )
    client.hset(job_key(job_id), mapping=hostile)
    client.sadd(f"{job_key(job_id)}:dependents", "x")
    made = job_to_run(client, "probe", job_id)
    expected = job_fields("probe", job_id)
    assert set(client.hgetall(job_key(job_id))) == {name.encode() for name in expected}
    assert client.hget(job_key(job_id), "description") == job_id.encode()
    assert not client.exists(f"{job_key(job_id)}:dependents")
    for job in (made, Job.fetch(job_id, connection=client, serializer=JSONSerializer)):
        assert (job.func_name, job.instance, list(job.args), job.kwargs) == (RUNNER, None, [], {})
        assert (job.origin, job.timeout, job.result_ttl, job.failure_ttl, job.ttl) == (
            "probe",
            180,
            0,
            FAILURE_TTL,
            None,
        )
        assert (job.retries_left, job.repeats_left, job.retry_intervals, job.repeat_intervals) == (None,) * 4
        assert (job.meta, job.group_id, job.rate_limit_key, job._dependency_ids) == ({}, None, None, [])
        assert called_by(job) == []


def test_an_untouched_job_is_not_written_again(client: redis.Redis, caplog: pytest.LogCaptureFixture) -> None:
    """Also after a death of its worker, when RQ's books are in the hash."""
    job_id = "b" * 32
    save(client, job_id)
    books: dict[Any, Any] = {
        "started_at": "2026-01-01T00:00:00.0Z",
        "last_heartbeat": "2026-01-01T00:00:00.0Z",
        "worker_name": "w",
    }
    client.hset(job_key(job_id), mapping=books | {"status": "started", "timeout": 60, "success_callback_name": ""})
    before = client.hgetall(job_key(job_id))
    assert job_to_run(client, "probe", job_id).surplus == ()
    assert client.hgetall(job_key(job_id)) == before
    assert "tampered" not in caplog.text


@pytest.mark.parametrize("kind", ["string", "list", "field", "number"])
def test_a_hash_that_is_none_is_written_anew(kind: str, client: redis.Redis) -> None:
    key = job_key("c" * 32)
    if kind == "string":
        client.set(key, "x")
    elif kind == "list":
        client.rpush(key, "x")
    else:
        save(client, "c" * 32)
        client.hset(key, *((b"\xff", "x") if kind == "field" else ("timeout", "soon")))
    assert job_to_run(client, "probe", "c" * 32).func_name == RUNNER
    assert client.hget(key, "description") == b"c" * 32
    assert client.hlen(key) == len(job_fields("probe", "c" * 32))


@pytest.mark.parametrize(
    "data",
    [
        zlib.compress(b"[" + b" " * (LONGEST_DATA + 1)),
        zlib.compress(zlib.compress(b"[]")),
        b"[" + b" " * LONGEST_DATA,
        b"",
    ],
    ids=["bomb", "twice", "long", "empty"],
)
def test_data_of_no_sense_is_not_read(data: bytes, client: redis.Redis) -> None:
    save(client, "d" * 32)
    client.hset(job_key("d" * 32), "data", data)
    assert read_job(client, "d" * 32) is None


def test_an_untouched_hash_is_not_even_read(client: redis.Redis) -> None:
    """Reading it would take a millisecond of each start. Whatever was changed or added, it is read."""
    job_id = "e" * 32
    written: dict[Any, Any] = job_fields("probe", job_id) | {"status": "started", "worker_name": "w"}
    client.hset(job_key(job_id), mapping=written)
    fields: Any = client.hgetall(job_key(job_id))
    assert jobs._is_as_written("probe", job_id, fields)
    for name in (b"data", b"origin", b"description", b"result_ttl", b"failure_ttl", b"timeout"):
        assert not jobs._is_as_written("probe", job_id, fields | {name: b"7"})
        assert not jobs._is_as_written("probe", job_id, {key: fields[key] for key in fields if key != name})
    assert not jobs._is_as_written("probe", job_id, fields | {b"meta": b"7"})
