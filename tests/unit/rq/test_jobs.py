"""The contract with RQ: what is in a job's hash, and how it is read."""

import json
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

from queueing.line.jobs import FAILURE_TTL, RUNNER, is_entry_job, job_fields, job_key, read_job
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
        assert is_entry_job(job_id)


def test_a_timeout_is_an_exception_like_others() -> None:
    assert issubclass(JobTimeoutException, Exception), (
        "rq.timeouts.JobTimeoutException is no Exception any more: a task's own cleanup may rely on it."
    )
