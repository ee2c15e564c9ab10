"""LineQueue: a Line as an RQ queue. Its waiting list is a sorted set, and only jobs of present visitors are handed out.

RQ's own list of the queue is an inbox: stock RQ pushes there (unique enqueue, requeue, dependents, schedules), and
each claim first moves it into the line.
"""

import time
from collections.abc import Iterable
from functools import cache
from typing import Any, cast

import redis
from django.dispatch import Signal
from django_rq.queues import DjangoRQ
from redis.client import Pipeline
from rq.exceptions import DequeueTimeout
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer

from queueing.line import jobs
from queueing.line.clients import connection
from queueing.line.failover import may_be_held_back
from queueing.line.places import Line
from queueing.line.scripts import as_text
from queueing.line.tampering import reports, shorten

# Seconds that an idle worker blocks at most. A push that wakes nobody (stock RQ's Lua) may go unnoticed for that long.
IDLE_WAIT = 5
# The same while claims wait for an epoch, newcomers for those ahead of them, or the line for a limit of its levers: the
# end of that wakes nobody.
SHORT_WAIT = 1
# Seconds between two looks of a quiet worker at whether it may go on.
QUIET_WAIT = 0.5

# Sent with `queue` (a name) and `job_ids` before `empty()` deletes them, so that the owner of the rows ends them first.
emptied = Signal()


class LineQueue(DjangoRQ):
    """A queue of RQ for its worker, dashboard and commands, answered by a Line."""

    # Set by the worker that owns this object: `dequeue_any` is a classmethod and is never told who calls.
    worker_name: str = ""
    # True while that worker is told to take no more.
    is_quiet: bool = False

    def __init__(self, name: str = "default", *args: Any, **kwargs: Any) -> None:
        # Never pickle or a plain job, whatever the caller passes or leaves out.
        kwargs |= {"serializer": JSONSerializer, "job_class": jobs.LineJob}
        super().__init__(name, *args, **kwargs)
        self.line = Line(name, self.connection)

    @classmethod
    def dequeue_any(
        cls,
        queues: Iterable[Queue],
        timeout: int | None,
        connection: redis.Redis,
        job_class: type[Job] | None = None,
        serializer: Any = None,
        death_penalty_class: Any = None,
    ) -> tuple[Job, Queue] | None:
        """The next job whose visitor is present, from the first queue that has one.

        Raises DequeueTimeout after `timeout` seconds. With None, looks once and may return None, and waits for nothing
        but an epoch and newcomers.
        """
        ours = cast("list[LineQueue]", list(queues))
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            for queue in ours:
                if not queue.is_quiet and (job := queue.claim_job()):
                    return job, queue
            must_wait = any(queue.line.epoch_wait.is_on for queue in ours)
            if deadline is None and not must_wait:
                return None
            idle_wait = SHORT_WAIT if must_wait or any(queue.line.is_at_limit for queue in ours) else IDLE_WAIT
            wait = idle_wait if deadline is None else min(idle_wait, deadline - time.monotonic())
            if wait <= 0:
                raise DequeueTimeout(timeout, [queue.key for queue in ours])
            _await_call(ours, connection, max(wait, 0.1))

    def claim_job(self) -> Job | None:
        """Claim the first present entry. An id that no job can have was not written by this project, and goes."""
        while job_id := (claimed := self.line.claim_job(self.worker_name)).job_id:
            if jobs.is_job_id(job_id):
                return jobs.claimed_job(self.connection, self.name, job_id, claimed.fields)
            self.line.end_claim(self.worker_name, job_id)
            reports.add("%s: the id %s in the line is no job's", self.name, shorten(job_id))
        return None

    def job_to_run(self, job_id: str) -> Job:
        """The job of a claimed id; an entry's is made from its id, whatever its hash says."""
        return jobs.job_to_run(self.connection, self.name, job_id)

    def move_dependents_to_ready(self, job: Job, *args: Any, **kwargs: Any) -> dict[str, list[str]]:
        """The jobs that wait for this one; none waits for an entry."""
        if job.func_name == jobs.RUNNER:
            return {}
        ready: dict[str, list[str]] = super().move_dependents_to_ready(job, *args, **kwargs)
        return ready

    @property
    def count(self) -> int:
        """The number of jobs in the line: they were present when last seen. Held entries are not counted."""
        with self.connection.pipeline(transaction=False) as pipe:
            pipe.zcard(self.line.keys.line)
            pipe.llen(self.line.keys.inbox)
            return sum(pipe.execute())

    def get_job_ids(self, offset: int = 0, length: int = -1) -> list[str]:
        """Ids in the order in which they would be served."""
        pushed = cast("list[bytes]", self.connection.lrange(self.line.keys.inbox, 0, -1))
        end = None if length < 0 else offset + length
        return [*self.line.ids(), *map(as_text, pushed)][offset:end]

    def get_job_position(self, job_or_id: Job | str) -> int | None:
        """The number of jobs ahead; None when the job is not in the line."""
        return cast("int | None", self.connection.zrank(self.line.keys.line, _id(job_or_id)))

    def fetch_job(self, job_id: str) -> Job | None:
        """The job, or None. Unlike RQ's own method, a missing hash never costs the place."""
        job = jobs.read_job(self.connection, job_id)
        return job if job is not None and job.origin == self.name else None

    def remove(self, job_or_id: Job | str, pipeline: Pipeline | None = None) -> int:
        """Take a job out of line, held and inbox; returns the number of jobs removed (0 with `pipeline`)."""
        return int(self.line.remove(_id(job_or_id), pipeline))

    def push_job_id(self, job_id: str, pipeline: Pipeline | None = None, at_front: bool = False) -> None:
        """Push a foreign job, as RQ does: into the inbox, with a call to an idle worker."""
        pipe = self.connection.pipeline() if pipeline is None else pipeline
        (pipe.lpush if at_front else pipe.rpush)(self.line.keys.inbox, job_id)
        self.line.wake_worker(pipe, job_id)
        if pipeline is None:
            pipe.execute()

    def empty(self) -> int:
        """Remove all jobs. Their rows end first, by `emptied`; otherwise the keeper would restore the places."""
        job_ids = [*self.get_job_ids(), *self.line.held_ids(), *self.line.unseen_ids()]
        emptied.send(type(self), queue=self.name, job_ids=job_ids)
        for job_id in job_ids:
            self.line.remove(job_id)
        return len(job_ids)

    def delete(self, delete_jobs: bool = True) -> None:
        """Forget the queue; with `delete_jobs`, remove all of its jobs, too."""
        if delete_jobs:
            self.empty()
            self.connection.delete(*self.line.keys.in_order())
        self.connection.srem(self.redis_queues_keys, self.key)

    def compact(self) -> None:
        """Do nothing: the claim makes a missing job again, so an id without a job stays in the line."""


@cache
def get_queue(name: str) -> LineQueue:
    """The RQ queue of that line, on the connection of `get_line`. Cached, because each new queue costs a connection."""
    return LineQueue(name, connection=connection(name), commit_mode="auto")


def _await_call(queues: list[LineQueue], connection: redis.Redis, seconds: float) -> None:
    """Wait until somebody calls an idle worker of these queues. A quiet worker leaves the call to the others."""
    if queues[0].is_quiet:
        time.sleep(min(QUIET_WAIT, seconds))
        return
    with may_be_held_back(seconds):
        call = connection.blpop([queue.line.keys.wake for queue in queues], seconds)
    if call and queues[0].is_quiet:  # told meanwhile
        connection.rpush(*cast("list[Any]", call))


def _id(job_or_id: Job | str) -> str:
    return job_or_id.id if isinstance(job_or_id, Job) else job_or_id
