"""The worker: RQ's, with our lines, our allow-list, leases, and RQ's traps mended."""

import ctypes
import gc
import os
import signal
import sys
import time
from typing import Any, cast

import redis
from django.db import DatabaseError, connections
from redis.client import Pipeline
from rq import worker_registration
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.worker import RoundRobinWorker

from queueing import keys, presence, runner, services
from queueing.conf import conf
from queueing.line import IDLE_WAIT, RUNNER, LineQueue
from queueing.models import Entry
from queueing.states import Reason, Status
from queueing.tasks import load

PR_SET_PDEATHSIG = 1  # prctl(2): the signal a process gets when its parent dies
LIBC = ctypes.CDLL(None, use_errno=True)


class PresenceWorker(RoundRobinWorker):
    """Serves lines, in turn. Claims only present entries, renews their leases, and never leaves a horse behind."""

    queue_class = LineQueue
    # Functions that may be run. Whoever can write to Redis could name any other one.
    allowed_functions = frozenset({RUNNER})

    def __init__(self, queues: Any, *args: Any, **kwargs: Any) -> None:
        # rqworker-pool and rqworker hand over plain queues and pickle, whatever the settings say.
        kwargs |= {"queue_class": LineQueue, "serializer": JSONSerializer}
        # RQ's first heartbeat would come 30 s after the start; the lease is renewed three times in its life.
        kwargs["job_monitoring_interval"] = max(1, round(conf.LEASE / 3))
        super().__init__([_as_line(queue, kwargs.get("connection")) for queue in queues], *args, **kwargs)
        for queue in self.lines:
            queue.worker_name = self.name
        self._parent_pid = os.getpid()
        self._visitor_over_since: float | None = None
        self._was_over = False
        self._horse_status: int | None = None

    @property
    def lines(self) -> list[LineQueue]:
        return cast(list[LineQueue], self.queues)

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        """Before the first fork: what every horse would make anew is made here, and inherited."""
        try:
            runner.warm_up()
        except (DatabaseError, redis.RedisError):
            self.log.warning("Worker %s: a cold start", self.name, exc_info=True)
        finally:
            connections.close_all()  # never open across a fork
        gc.freeze()  # a collection in a horse would copy every page of this heap
        super().bootstrap(*args, **kwargs)

    # Waiting for work

    @property
    def dequeue_timeout(self) -> int:
        """Seconds between two heartbeats of an idle worker; RQ's own is 405, too long to be counted as alive."""
        return 15

    @property
    def connection_timeout(self) -> int:
        """Seconds until a silent Redis counts as lost; an idle worker blocks for IDLE_WAIT."""
        return IDLE_WAIT + 10

    def heartbeat(self, timeout: int | None = None, pipeline: "Pipeline | None" = None) -> None:
        """After a flush of Redis, too, this worker is on the list of workers; RQ writes that at birth only."""
        pipe = self.connection.pipeline(transaction=False) if pipeline is None else pipeline
        super().heartbeat(timeout, pipe)
        worker_registration.register(self, pipe)
        if pipeline is None:  # RQ gives three signs of life for each job: one round trip each, not three
            pipe.execute()

    # Running

    def execute_job(self, job: Job, queue: Queue) -> None:
        line = cast(LineQueue, queue)
        if job.func_name not in self.allowed_functions:
            self._refuse(job, line)
            return
        if job.func_name == RUNNER:
            job.timeout = _timeout_of(line)
        else:
            # A job of somebody else's has no row: from here on RQ's own registries look after it.
            line.end_claim(self.name, job.id)
            self.connection.delete(keys.PRESENCE.format(job_id=job.id))
        self._visitor_over_since, self._was_over = None, False
        super().execute_job(job, queue)

    def setup_work_horse_signals(self) -> None:
        """The horse ends with its parent: an unowned horse would run beside the next attempt."""
        super().setup_work_horse_signals()
        if sys.platform == "linux":
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self._parent_pid:  # it died before the call
            os._exit(1)

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        keys.share_connection(self.connection)
        super().main_work_horse(job, queue)

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """Without a horse, and before the newborn one has left it, RQ would kill the worker's own process group."""
        if self.horse_pid and not self._shares_group(self.horse_pid):
            super().kill_horse(sig)

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """Three times in a lease: renew it, or end a horse that works for nobody."""
        if job.func_name == RUNNER:
            self._look_after(job)  # first: a Redis that hangs must not cost the lease
        try:
            super().maintain_heartbeats(job, execution)
        except redis.RedisError:
            # RQ lets this end the worker, and the job would run twice.
            self.log.warning("Worker %s: no heartbeat, Redis is away", self.name)

    def _look_after(self, job: Job) -> None:
        try:
            if not self._renew(job):
                self.kill_horse()
        except DatabaseError:
            self.log.warning("Worker %s: the lease of %s was not renewed", self.name, job.id, exc_info=True)
        finally:
            connections.close_all()  # never open across a fork

    def wait_for_horse(self) -> tuple[Any, Any, Any]:
        """RQ's own, and the exit status is kept."""
        pid, self._horse_status, usage = super().wait_for_horse()
        return pid, self._horse_status, usage

    def monitor_work_horse(self, job: Job, queue: Queue, execution: Execution) -> None:
        began, self._horse_status = time.monotonic(), None
        try:
            super().monitor_work_horse(job, queue, execution)
        finally:  # RQ's own books may fail; the row is settled all the same
            line = cast(LineQueue, queue)
            if job.func_name == RUNNER and not self._ended_well(job, line):
                self._settle(job, line, time.monotonic() - began)

    def _handle_stopped_job(self, job: Job, queue: Queue, execution: Execution) -> None:
        """RQ's stop command, from its dashboard or by code: the row ends, too."""
        entry = Entry.objects.of_job(job.id) if job.func_name == RUNNER else None
        if entry is not None and entry.cancel(Reason.ENDED):
            services.ended(entry)
        super()._handle_stopped_job(job, queue, execution)

    def teardown(self) -> None:
        """A stop between the claim and the start gives the entry back at once."""
        if not self.is_horse:
            for line in self.lines:
                try:
                    for worker, (job_id, score, _) in line.claims().items():
                        if worker == self.name:
                            line.release(worker, job_id, score)
                except redis.RedisError:
                    self.log.warning("Worker %s: its claim on %s is left to the keeper", self.name, line.name)
        super().teardown()

    # Details

    def _shares_group(self, pid: int) -> bool:
        try:
            return os.getpgid(pid) == os.getpgrp()
        except ProcessLookupError:
            return False

    def _refuse(self, job: Job, line: LineQueue) -> None:
        line.end_claim(self.name, job.id)
        message = f"{job.func_name} is not one of this worker's allowed_functions"
        self.log.error("Worker %s: job %s refused, %s", self.name, job.id, message)
        self.handle_job_failure(job, line, exc_string=message)

    def _renew(self, job: Job) -> bool:
        """False when the horse must end: the row is not this attempt's any more, or the task ignores an absence."""
        entry = Entry.objects.of_job(job.id)
        if entry is None:
            return False
        if not entry.is_live:
            # A horse that has just stored its result is still closing its books: it has until the next look.
            was_over, self._was_over = self._was_over, True
            return not was_over
        if entry.status == Status.WAITING:
            return True  # not started yet
        if not self._is_mine(entry) or not entry.renew_lease():
            return False
        if (cause := self._deaf_to(entry)) is not None:
            if entry.abandon(Reason(cause)):
                services.ended(entry)
            return False
        return True

    def _is_mine(self, entry: Entry) -> bool:
        return bool(entry.worker_ids) and entry.worker_ids[-1] == self.name

    def _deaf_to(self, entry: Entry) -> presence.Cause | None:
        """The cause of an absence that is over and that the task has ignored for DEAF_GRACE."""
        heavy_task = load().get(entry.queue)
        if not entry.needs_presence or (heavy_task is not None and not heavy_task.stops_on_leave):
            return None
        try:
            look = presence.look(entry.job_id)
            if not look.present and look.gone_for is None and not look.blind:
                presence.note_gone(entry.job_id, entry.keep_seconds)
        except redis.RedisError:
            return None
        if not look.is_over:
            self._visitor_over_since = None
            return None
        now = time.monotonic()
        self._visitor_over_since = self._visitor_over_since or now
        return look.cause if now - self._visitor_over_since >= conf.DEAF_GRACE else None

    def _ended_well(self, job: Job, line: LineQueue) -> bool:
        """The runner returned: it has settled the row and the claim, and RQ has deleted the job (its result_ttl is 0).

        To ask the row after each task would cost a new connection to the database each time.
        """
        if self._horse_status != os.EX_OK:
            return False
        try:
            with self.connection.pipeline(transaction=False) as pipe:
                pipe.exists(job.key)
                pipe.hexists(line.keys.claims, self.name)
                return not any(pipe.execute())
        except redis.RedisError:
            return False

    def _settle(self, job: Job, line: LineQueue, seconds: float) -> None:
        """The horse has ended. What cannot be settled now is left to the keeper."""
        try:
            self._settle_row(job, line, seconds)
        except (DatabaseError, redis.RedisError):
            self.log.exception("Worker %s: %s is left to the keeper", self.name, job.id)
        finally:
            connections.close_all()

    def _settle_row(self, job: Job, line: LineQueue, seconds: float) -> None:
        """A row that still runs is an orphan; a claim that was not started goes back."""
        entry = Entry.objects.of_job(job.id)
        if entry is None:
            line.end_claim(self.name, job.id)
            line.forget(job.id)
        elif entry.status == Status.RUNNING and self._is_mine(entry):
            if seconds >= _timeout_of(line):
                if entry.fail(Reason.TIMEOUT, runner.TIMEOUT_SENTENCE):
                    services.ended(entry)
            else:
                services.orphan(entry, f"The horse of worker {self.name} ended without a result.")
        elif entry.status == Status.WAITING:
            services.release(entry, self.name)


def _as_line(queue: Any, connection: "redis.Redis | None") -> LineQueue:
    if isinstance(queue, LineQueue):
        return queue
    if isinstance(queue, Queue):
        return LineQueue(queue.name, connection=queue.connection)
    return LineQueue(queue, connection=connection)


def _timeout_of(line: LineQueue) -> int:
    """Seconds a task of this line may run."""
    heavy_task = load().get(line.name)
    return heavy_task.timeout if heavy_task is not None else Queue.DEFAULT_TIMEOUT
