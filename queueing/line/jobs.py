"""The RQ job of an entry. The job has no arguments, and the entry's id, so a lost job can be made again."""

import logging
from functools import cache
from typing import Any

import redis
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import Job, JobStatus, get_current_job
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException
from rq.utils import now, utcformat

from queueing.line.clients import connection

logger = logging.getLogger("queueing")

# The function that the job of every entry runs.
RUNNER = "queueing.work.runner.run"
# Seconds that RQ keeps a failed job. The row has the error and its traceback.
FAILURE_TTL = 3600
# The exception that a task sees when it runs for longer than it may.
TaskTimeout = JobTimeoutException


def job_key(job_id: str) -> str:
    """The key of the job's hash, as RQ names it."""
    return str(Job.key_for(job_id))


def job_fields(queue: str, job_id: str) -> dict[str, Any]:
    """The hash of an entry's job, as RQ stores it."""
    return _common_fields(queue) | {"created_at": utcformat(now()), "description": job_id}


def read_job(client: redis.Redis, job_id: str) -> Job | None:
    """The job; None when its hash is missing or cannot be read.

    Every other exception passes: RQ stops an idle worker by an exception that its signal handler raises anywhere.
    """
    try:
        job = Job.fetch(job_id, connection=client, serializer=JSONSerializer)
        job.func_name  # noqa: B018  # raises if the data cannot be read
    except NoSuchJobError:
        return None
    except (DeserializationError, ValueError, TypeError, KeyError, AttributeError):
        logger.warning("Job %s cannot be read", job_id, exc_info=True)
        return None
    return job


def is_entry_job(job_id: str) -> bool:
    """True if the job is an entry's, and not foreign. A job without a readable hash can only be an entry's."""
    try:
        return bool(Job.fetch(job_id, connection=connection(), serializer=JSONSerializer).func_name == RUNNER)
    except (NoSuchJobError, DeserializationError):
        return True


def current_job_id() -> str:
    """The id of the job that this process, a horse, is running."""
    job = get_current_job()
    assert job is not None
    return job.id


@cache
def _common_fields(queue: str) -> dict[str, Any]:
    """The fields that all jobs of a queue's entries have in common, as RQ stores them.

    Cached, because making a job with RQ takes as long as all other steps of a place. Without empty fields the hash
    stays a listpack in Redis, a third of the size.
    """
    job = Job.create(
        RUNNER,
        connection=connection(),
        serializer=JSONSerializer,
        origin=queue,
        status=JobStatus.QUEUED,
        timeout=Queue.DEFAULT_TIMEOUT,  # the worker sets the timeout of the task when the task begins
        result_ttl=0,
        failure_ttl=FAILURE_TTL,
    )
    stored: dict[str, Any] = job.to_dict()
    return {name: value for name, value in stored.items() if value != ""}
