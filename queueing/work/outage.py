"""A worker that outlives an outage: a Redis that is away, full, read-only or loading its data.

RQ's worker ends at most errors of Redis. This one takes no new work while an outage lasts, and goes on by itself. A
claim that it had when the outage began stays its own: the next claim gives the same job again.
"""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.client import Pipeline
from rq.exceptions import DequeueTimeout, StopRequested
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.worker import RoundRobinWorker
from rq.worker.base import WorkerStatus

from queueing.line.signs import takes_writes
from queueing.line.tampering import reports, shorten
from queueing.models.trouble import DATABASE_ERRORS
from queueing.work.horse import NoHorse

SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds between two tries of a worker without work


class Outage:
    """The outage of Redis, if there is one. The log gets one line when it begins and one when it is over."""

    def __init__(self, worker: str, log: logging.Logger) -> None:
        self._worker, self._log = worker, log
        self._since: float | None = None
        self._pause = 0.0

    @property
    def is_known(self) -> bool:
        """True from the first refusal on, until Redis takes writes again."""
        return self._since is not None

    def note(self, error: redis.RedisError) -> None:
        """Redis gave no answer, or refused a command."""
        if self._since is None:
            self._since = time.monotonic()
            self._log.warning("Worker %s: Redis is away, or takes no writes: %s", self._worker, error)

    def over(self) -> None:
        """Redis has taken a write and answered."""
        if self._since is not None:
            seconds = time.monotonic() - self._since
            self._log.warning("Worker %s: Redis takes writes again, after %.1f s", self._worker, seconds)
        self._since, self._pause = None, 0.0

    def pause(self) -> None:
        """Sleep before the next try, for longer each time."""
        self._pause = min(max(SHORTEST_PAUSE, 2 * self._pause), LONGEST_PAUSE)
        time.sleep(self._pause)

    @contextmanager
    def survived(self) -> Iterator[None]:
        """Leave out what Redis refuses: RQ's books, which a worker can work without."""
        try:
            yield
        except redis.RedisError as error:
            self.note(error)


class PatientWorker(RoundRobinWorker):
    """RQ's worker, whose loop no error of Redis ends."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.outage = Outage(self.name, self.log)

    # Waiting for work

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        """Wait until Redis takes writes, then RQ's own steps, which write the birth of the worker."""
        while True:
            try:
                takes_writes(self.connection)
                break
            except redis.RedisError as error:
                self._wait_for_redis(error)
        self.outage.over()
        super().bootstrap(*args, **kwargs)

    def check_for_suspension(self, burst: bool) -> None:
        """RQ's own. A suspended worker stays suspended through an outage."""
        while True:
            try:
                super().check_for_suspension(burst)
            except redis.RedisError as error:
                self._wait_for_redis(error)
            else:
                return

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        """The next job, as in RQ; None after `max_idle_time`, or without a job in burst mode (`timeout` None).

        Replaces RQ's own, which ends the worker at some errors of Redis. At others it waits for up to a minute. None,
        too, once the worker is asked to stop: Python drops the exception of RQ's handler if it is raised in a
        destructor or in a hook of `fork`.
        """
        self.set_state(WorkerStatus.IDLE)
        idle_until = time.monotonic() + (math.inf if max_idle_time is None else max_idle_time)
        while self._shutdown_requested_date is None and (left := idle_until - time.monotonic()) > 0:
            try:
                found = self._next_job(timeout if timeout is None else math.ceil(min(timeout, left)))
            except DequeueTimeout:
                self.outage.over()
            except redis.RedisError as error:
                self._wait_for_redis(error)
            except DATABASE_ERRORS as error:  # Redis has lost the levers, and the row cannot be read
                self.log.warning("Worker %s: the levers of its lines are not known: %s", self.name, error)
                self.outage.pause()
            else:
                self.outage.over()
                return found
        return None

    def _next_job(self, timeout: int | None) -> tuple[Job, Queue] | None:
        self.write_heartbeat()  # first: a Redis that takes no writes would still hand out jobs
        if self.should_run_maintenance_tasks:
            self.run_maintenance_tasks()
        return self._claim(timeout)

    def _claim(self, timeout: int | None) -> tuple[Job, Queue] | None:
        found = self.queue_class.dequeue_any(
            self._ordered_queues,
            timeout,
            connection=self.connection,
            job_class=self.job_class,
            serializer=self.serializer,
            death_penalty_class=self.death_penalty_class,
        )
        if found is not None:
            job, queue = found
            self.reorder_queues(queue)
            self.log.info("Worker %s: %s: %s", self.name, queue.name, job.id)
        return found

    def _wait_for_redis(self, error: redis.RedisError) -> None:
        self.outage.note(error)
        self.outage.pause()

    # RQ's books

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """RQ's heartbeat; left out in an outage."""
        if pipeline is not None:
            super().heartbeat(timeout, pipeline)
            return
        with self.outage.survived():
            self.write_heartbeat(timeout)

    def write_heartbeat(self, timeout: int | None = None) -> None:
        """A heartbeat in one round trip, where RQ takes three. Raises RedisError."""
        with self.connection.pipeline(transaction=False) as pipe:
            self.heartbeat(timeout, pipe)
            pipe.execute()

    def set_state(self, state: str, pipeline: Pipeline | None = None) -> None:
        """RQ's own; left out in an outage. That it is idle, the next heartbeat says: there may be a job at once."""
        if state == WorkerStatus.IDLE and pipeline is None:
            self._state = state
            return
        with self.outage.survived():
            super().set_state(state, pipeline)

    def set_shutdown_requested_date(self) -> None:
        """RQ's own; left out in an outage. RQ calls this in the handler of SIGTERM, so an error would end the horse."""
        with self.outage.survived():
            super().set_shutdown_requested_date()

    def run_maintenance_tasks(self) -> None:
        """RQ's own; put off in an outage, and, by RQ's lock, if a registry holds what RQ does not write."""
        try:
            with self.outage.survived():
                super().run_maintenance_tasks()
        except StopRequested:
            raise
        except Exception:
            self.log.exception("Worker %s: RQ's registries were not cleaned", self.name)

    def execute_job(self, job: Job, queue: Queue) -> None:
        """RQ's own. When an outage begins before the fork, no horse is forked, and the claim stays.

        Books of RQ that cannot be read end no worker: the row is settled by then. Raises NoHorse.
        """
        try:
            with self.outage.survived():
                super().execute_job(job, queue)
        except (StopRequested, NoHorse):
            raise
        except Exception:
            self.log.exception("Worker %s: RQ's books of job %s cannot be kept", self.name, job.id)
        self.executions.clear()  # a horse takes the first one for its own
        self.set_state(WorkerStatus.IDLE)  # SIGTERM waits for a busy worker only

    def monitor_work_horse(self, job: Job, queue: Queue, execution: Execution) -> None:
        """RQ's own; after the end of the horse its books are left out in an outage."""
        with self.outage.survived():
            super().monitor_work_horse(job, queue, execution)

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """RQ's own; left out in an outage. In RQ, an error ends the worker, and the job runs twice."""
        with self.outage.survived():
            super().maintain_heartbeats(job, execution)
            self.outage.over()

    def teardown(self) -> None:
        """RQ's own; left out in an outage."""
        with self.outage.survived():
            super().teardown()

    def handle_payload(self, message: Any) -> None:
        """RQ's own. A command that cannot be read does not end the thread that hears the others."""
        try:
            super().handle_payload(message)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            reports.add("the command %s of a worker is none of RQ's", shorten(message))

    def _pubsub_exception_handler(self, exc: Exception, pubsub: Any, pubsub_thread: Any) -> None:
        """Go on listening for RQ's commands. RQ's own method logs each try, and ends the thread at some errors."""
        if not isinstance(exc, redis.RedisError):
            super()._pubsub_exception_handler(exc, pubsub, pubsub_thread)
        time.sleep(LONGEST_PAUSE)
