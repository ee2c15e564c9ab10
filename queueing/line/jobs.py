"""The RQ job of an entry. The job has no arguments, and the entry's id, so it is made again from the id alone.

RQ calls functions and addresses that the hash of a job names: callbacks, webhooks. A program that can write to Redis
must not choose these, so nothing of a hash counts but what `LineJob` keeps.
"""

import logging
import zlib
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any, cast

import redis
from rq.exceptions import NoSuchJobError, StopRequested
from rq.job import JOB_ID_PATTERN, Job, JobStatus, get_current_job
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException
from rq.utils import decode_redis_hash, now, utcformat

from queueing.line.clients import connection, is_wrong_type
from queueing.line.tampering import reports, shorten
from queueing.registry import all_tasks

logger = logging.getLogger("queueing")

# The function that the job of every entry runs.
RUNNER = "queueing.work.runner.run"
# Seconds that RQ keeps a failed job. The row has the error and its traceback.
FAILURE_TTL = 3600
# The exception that a task sees when it runs for longer than it may.
TaskTimeout = JobTimeoutException

# Fields of a hash that RQ imports by name and calls, or sends to an address.
CALLS = frozenset({"success_callback_name", "failure_callback_name", "stopped_callback_name", "webhooks"})
# RQ unpacks this field, whatever its size will be, and nothing here reads it.
UNREAD = frozenset({"exc_info"})
# The fields of an entry's job, and those in which RQ keeps its own books.
OWN_FIELDS = frozenset(
    {"created_at", "data", "description", "failure_ttl", "origin", "result_ttl", "status", "timeout"}
)
BOOKS = frozenset({"ended_at", "enqueued_at", "last_heartbeat", "started_at", "worker_name"})
KNOWN = frozenset(name.encode() for name in OWN_FIELDS | BOOKS)
LONGEST_DATA = 10 * 1024 * 1024  # bytes of a job's function and arguments, unpacked
LONGEST_ID = 200  # characters


class LineJob(Job):
    """A job as a worker reads it: without callbacks and webhooks; an entry's job without all but its own fields."""

    surplus: tuple[str, ...] = ()  # the names of the fields that were left out

    def restore(self, raw_data: Any) -> None:
        """Take over the fields of a hash. Raises ValueError and others for a hash that cannot be read."""
        fields = decode_redis_hash(raw_data)
        if "data" in fields:
            fields["data"] = _unpacked(fields["data"])
        kept = fields.keys() - CALLS - UNREAD
        if _is_runner(fields.get("data", b"")):
            kept &= OWN_FIELDS | BOOKS
        super().restore({name: fields[name] for name in kept})
        self.surplus = tuple(sorted(name for name in fields.keys() - kept - UNREAD if fields[name]))


def job_key(job_id: str) -> str:
    """The key of the job's hash, as RQ names it."""
    return str(Job.key_for(job_id))


def job_fields(queue: str, job_id: str) -> dict[str, Any]:
    """The hash of an entry's job, as RQ stores it."""
    return _common_fields(queue) | {"created_at": utcformat(now()), "description": job_id}


def read_job(client: redis.Redis, job_id: str) -> LineJob | None:
    """The job; None when its hash is missing or cannot be read. Raises RedisError."""
    return _parse(client, job_id, _fields(client, job_id))


def _fields(client: redis.Redis, job_id: str) -> Mapping[bytes, bytes] | None:
    """The hash of a job; None for a value of another type."""
    try:
        return cast("Mapping[bytes, bytes]", client.hgetall(job_key(job_id)))
    except redis.ResponseError as error:
        if not is_wrong_type(error):
            raise
    return None


def _parse(client: redis.Redis, job_id: str, fields: Mapping[bytes, bytes] | None) -> LineJob | None:
    """The job of this hash; None when it is missing or cannot be read.

    StopRequested passes: RQ stops an idle worker by this exception, which its signal handler raises anywhere.
    """
    if fields is not None and not fields:
        return None
    try:
        job = LineJob(job_id, connection=client, serializer=JSONSerializer)
        job.restore(fields)
        if isinstance(job.func_name, str):
            return job
    except NoSuchJobError:  # a hash without data: RQ has deleted the job, and a late heartbeat has written to it
        return None
    except StopRequested:
        raise
    except Exception as error:  # noqa: BLE001  # of whatever RQ makes of a field
        logger.debug("Job %s: %r", job_id, error)
    reports.add("the job %s cannot be read", shorten(job_id))
    return None


def is_job_id(job_id: str) -> bool:
    """True if RQ takes this text for the id of a job."""
    return len(job_id) <= LONGEST_ID and JOB_ID_PATTERN.fullmatch(job_id) is not None


def is_entry_job(client: redis.Redis, job_id: str) -> bool:
    """True if the job is an entry's, and not foreign. A job without a readable hash can only be an entry's."""
    job = read_job(client, job_id)
    return job is None or job.func_name == RUNNER


def job_to_run(client: redis.Redis, queue: str, job_id: str) -> LineJob:
    """The job of a claimed id, as `claimed_job` has it, with its hash as it is now."""
    return claimed_job(client, queue, job_id, _fields(client, job_id))


def claimed_job(client: redis.Redis, queue: str, job_id: str, fields: Mapping[bytes, bytes] | None) -> LineJob:
    """The job of a claimed id and its hash.

    An entry's job is made from its id; a foreign one is as its hash says, but for calls.
    """
    if fields and _is_as_written(queue, job_id, fields):
        return entry_job(queue, client, job_id)
    found = _parse(client, job_id, fields)
    if found is not None and found.func_name != RUNNER:
        if found.surplus:
            reports.add("foreign job %s has %s, which are left out", job_id, ", ".join(found.surplus))
        return found
    job = entry_job(queue, client, job_id)
    surplus = [] if found is None else _surplus(found, job)
    if found is None or surplus:
        _store(client, job)
    if surplus:
        reports.add("the job of entry %s has %s, which are left out", job_id, shorten(", ".join(surplus)))
    return job


def _is_as_written(queue: str, job_id: str, fields: Mapping[bytes, bytes]) -> bool:
    """True for the hash of an entry's job to which nobody but RQ has written. To read it would take a millisecond."""
    own = _own_bytes(queue) | {b"description": job_id.encode()}
    return fields.keys() <= KNOWN and all(fields.get(name) == value for name, value in own.items())


@cache
def _own_bytes(queue: str) -> dict[bytes, bytes]:
    """The fields that no entry's job changes, as Redis has them."""
    changes = {"created_at", "status", "description"}
    fields = {name: value for name, value in _common_fields(queue).items() if name not in changes}
    return {name.encode(): value if isinstance(value, bytes) else str(value).encode() for name, value in fields.items()}


def entry_job(queue: str, client: redis.Redis, job_id: str) -> LineJob:
    """The job of an entry, made from its id."""
    return _new_job(queue, client, id=job_id, description=job_id)


def refused_job(job: Job, queue: str) -> LineJob:
    """A job that is not allowed, for RQ's books: without retries, repeats and whatever else its hash asks for.

    Its hash is written anew, too.
    """
    bare = LineJob(job.id, connection=job.connection, serializer=JSONSerializer)
    bare.data, bare.origin, bare.description, bare.failure_ttl = job.data, queue, job.description, FAILURE_TTL
    _store(job.connection, bare)
    return bare


def current_job() -> Job:
    """The job that this process, a horse, is running."""
    job = get_current_job()
    assert job is not None
    return job


@cache
def _common_fields(queue: str) -> dict[str, Any]:
    """The fields that all jobs of a queue's entries have in common, as RQ stores them.

    Cached, because making a job with RQ takes as long as all other steps of a place.
    """
    return _stored(_new_job(queue, connection(queue)))


def _new_job(queue: str, client: redis.Redis, **options: Any) -> LineJob:
    job = LineJob.create(
        RUNNER,
        args=[],
        connection=client,
        serializer=JSONSerializer,
        origin=queue,
        status=JobStatus.QUEUED,
        timeout=Queue.DEFAULT_TIMEOUT,  # the worker sets the timeout of the task when the task begins
        result_ttl=0,
        failure_ttl=FAILURE_TTL,
        **options,
    )
    return cast("LineJob", job)


def _stored(job: Job) -> dict[Any, Any]:
    """The hash of a job. Without empty fields it stays a listpack in Redis, a third of the size."""
    fields: dict[str, Any] = job.to_dict()
    return {name: value for name, value in fields.items() if value != ""}


def _store(client: redis.Redis, job: Job) -> None:
    """Write the job's hash anew, whatever was there, and forget the jobs that wait for this one."""
    with client.pipeline() as pipe:
        pipe.delete(job.key, job.dependents_key, job.dependencies_key)
        pipe.hset(job.key, mapping=_stored(job))
        pipe.execute()


def _surplus(found: LineJob, job: LineJob) -> list[str]:
    """The names of all that is in the hash of an entry's job and was not written by this project."""
    differs = [name for name in ("origin", "description", "result_ttl", "failure_ttl") if _differ(name, found, job)]
    heavy_task = all_tasks().get(job.origin)
    if found.timeout not in {job.timeout, heavy_task.timeout if heavy_task else None}:
        differs.append("timeout")
    if found.instance or found.args or found.kwargs:
        differs.append("arguments")
    return [*found.surplus, *differs]


def _differ(name: str, found: LineJob, job: LineJob) -> bool:
    return bool(getattr(found, name) != getattr(job, name))


def _unpacked(data: bytes) -> bytes:
    """The data of a job, which RQ stores compressed; JSON begins otherwise than any compressed data.

    Raises ValueError if it is longer than LONGEST_DATA, since a few bytes may unpack to gigabytes.
    """
    with suppress(zlib.error):
        data = zlib.decompressobj().decompress(data, LONGEST_DATA + 1)
    if not data.startswith(b"[") or len(data) > LONGEST_DATA:
        raise ValueError("no data of a job")
    return data


def _is_runner(data: bytes) -> bool:
    try:
        function, *_ = JSONSerializer.loads(data)
    except (ValueError, TypeError, RecursionError):
        return False
    return bool(function == RUNNER)
