"""Entries that stand in the line as after a join and a look, without a row."""

import math
from typing import Any

from redis.client import Pipeline

from queueing.line import jobs
from queueing.line.keys import presence_key
from queueing.line.places import Line
from queueing.line.scripts import milliseconds


def stand(line: Line, job_id: str, score: float, *, presence: float, pipeline: Pipeline | None = None) -> None:
    """Give an id its job, its place in the line, and presence for so many seconds; with inf, without end."""
    pipe = line.client.pipeline() if pipeline is None else pipeline
    pipe.sadd("rq:queues", line.keys.inbox)
    job: dict[Any, Any] = jobs.job_fields(line.name, job_id)
    pipe.hset(jobs.job_key(job_id), mapping=job)
    pipe.zadd(line.keys.line, {job_id: score}, nx=True)
    pipe.set(presence_key(job_id), 1, px=None if presence == math.inf else milliseconds(presence))
    line.wake_worker(pipe, job_id)
    pipe.incr(line.keys.version)
    if pipeline is None:
        pipe.execute()
