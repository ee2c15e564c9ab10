"""The RQ job of an entry. It has no arguments and its id is the entry's, so a lost job can always be made again."""

import logging
from functools import cache
from typing import Any

import redis
from redis.client import Pipeline
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
# Seconds that RQ keeps a failed job; the row has all that matters.
FAILURE_TTL = 3600
# The exception that a task sees when it runs for longer than it may.
TaskTimeout = JobTimeoutException


def job_key(job_id: str) -> str:
    """The key of the job's hash, as RQ names it."""
    return str(Job.key_for(job_id))


def save_job(pipe: Pipeline, queue: str, job_id: str) -> None:
    """Store the job of an entry."""
    pipe.hset(job_key(job_id), mapping=_job_hash(queue) | {"created_at": utcformat(now()), "description": job_id})


def read_job(client: redis.Redis, job_id: str) -> Job | None:
    """The job; None when there is no hash, or one that cannot be read.

    Nothing else is caught: RQ stops an idle worker by an exception that its signal handler raises wherever it is.
    """
    try:
        job = Job.fetch(job_id, connection=client, serializer=JSONSerializer)
        job.func_name  # noqa: B018  # data that cannot be read shows here
    except NoSuchJobError:
        return None
    except (DeserializationError, ValueError, TypeError, KeyError, AttributeError):
        logger.warning("Job %s cannot be read", job_id, exc_info=True)
        return None
    return job


def is_entry_job(job_id: str) -> bool:
    """True if the job is an entry's, and not foreign. Without a readable hash it can only be an entry's."""
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
def _job_hash(queue: str) -> dict[Any, Any]:
    """What all jobs of a queue's entries have in common, as RQ stores it.

    Made once: making a job with RQ takes as long as all the rest of a place. Without its empty fields the hash stays a
    listpack in Redis, a third of the size.
    """
    job = Job.create(
        RUNNER,
        connection=connection(),
        serializer=JSONSerializer,
        origin=queue,
        status=JobStatus.QUEUED,
        timeout=Queue.DEFAULT_TIMEOUT,  # the worker sets that of the task when it begins
        result_ttl=0,
        failure_ttl=FAILURE_TTL,
    )
    stored: dict[Any, Any] = job.to_dict()
    return {name: value for name, value in stored.items() if value != ""}
