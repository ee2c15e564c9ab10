"""The fork of a worker: horses in advance, limited, guarded, and ended with all that they have started."""

import gc
import logging
import os
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import redis
from django.db import connections
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.utils import now

from queueing import logs, sandbox
from queueing.line import clients
from queueing.line.jobs import entry_job
from queueing.line.queue import LineQueue
from queueing.models.trouble import DATABASE_ERRORS
from queueing.work import confinement, horse, lines, runner, scratch, standby, warming
from queueing.work.birth import Birth, Terms
from queueing.work.guard import Guard
from queueing.work.lease import timeout_of
from queueing.work.limits import limits_of
from queueing.work.outage import PatientWorker
from queueing.work.standby import Order, Standby


class HorseWorker(PatientWorker):
    """A worker that keeps a standby, and never leaves a horse behind."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._parent_pid = os.getpid()
        self._is_warm = False  # before that, a standby would lack what is loaded for all horses
        self._standby: Standby | None = None  # the horse of the next job
        self._guard: Guard | None = None  # over the horse
        self._terms: Terms | None = None  # of the horse
        self._horse_status: int | None = None
        self._ended_horse = 0  # pid
        self._children_before: set[int] | None = None  # of this worker, beside the horse and what it starts

    @property
    def line_queues(self) -> list[LineQueue]:
        """The queues that this worker serves."""
        return cast("list[LineQueue]", self.queues)

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        """Warm up before the first fork, so that horses inherit modules, models, queries and caches."""
        logs.act_as("worker")
        warming.warm_up(self.queue_names())
        try:
            runner.warm_up()
        except (*DATABASE_ERRORS, redis.RedisError):
            self.log.warning("Worker %s: a cold start", self.name, exc_info=True)
        finally:
            connections.close_all()  # never open across a fork
        horse.adopt_orphans()
        confinement.prepare(self.name)
        gc.freeze()  # a collection in a horse would copy every page of this heap
        self._is_warm = True
        super().bootstrap(*args, **kwargs)

    def _next_job(self, timeout: int | None) -> tuple[Job, Queue] | None:
        self._keep_standby()
        return super()._next_job(timeout)

    # The life of a horse

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        """Hand the job to the standby; without one, and for a foreign job, fork as RQ does."""
        standby, terms, execution = self._standby, self._terms, self.execution
        if standby is None or terms is None or execution is None:
            super().fork_work_horse(job, queue)
            return
        self._standby = None
        assert self._children_before is not None
        self._children_before.discard(standby.pid)
        if standby.hand_over(Order(job.id, queue.name, execution.id, str(terms.folder))):
            self._horse_pid = standby.pid
        else:
            super().fork_work_horse(job, queue)

    def _keep_standby(self) -> None:
        """See that there is a standby for the next job, and that it is fit."""
        if self._standby is not None and not self._standby.is_fit(self.queue_names()):
            self._standby.end()
            self._standby = None
        if self._standby is None and self._is_warm:
            connections.close_all()  # never open across a fork
            self._standby = Standby.fork(self.queue_names(), self._stand_by)
        if self._standby is not None and self._children_before is not None:
            self._children_before.add(self._standby.pid)

    def _stand_by(self, channel: socket.socket, birth: Birth) -> None:
        """The life of a standby, in its own process."""
        clients.share_connection(self.connection)
        with suppress(*DATABASE_ERRORS, redis.RedisError):  # it tries again with its job
            self._rehearse()
        order = standby.await_order(channel)
        os.environ |= {"RQ_WORKER_ID": self.name, "RQ_JOB_ID": order.job_id}
        queue = next(queue for queue in self.line_queues if queue.name == order.line)
        job = entry_job(queue.name, self.connection, order.job_id)
        job.timeout = timeout_of(queue.name)
        self.execution = Execution(order.execution, job.id, self.connection, self.name)
        self._terms, self._standby = Terms(limits_of(queue.name), Path(order.folder), birth), None
        with lines.for_debugging(logging.getLogger("rq.worker")):
            self.main_work_horse(job, queue)

    def _rehearse(self) -> None:
        """In a standby: the first steps of a horse, for a job that is none.

        A fork shares its memory with its worker until it writes to it, and a start writes to some thousand pages. So
        the copies are made here, before anybody waits for them.
        """
        job = entry_job(self.queue_names()[0], self.connection, "0" * 32)
        with self.connection.pipeline() as pipe:
            job.heartbeat(now(), 1, pipeline=pipe)
            job.prepare_for_execution(self.name, pipeline=pipe)
            pipe.reset()  # nothing of it is sent
            self.heartbeat(pipeline=pipe)
            pipe.execute()
        runner.rehearse()

    def setup_work_horse_signals(self) -> None:
        """Set up the horse; RQ calls this method in the horse."""
        super().setup_work_horse_signals()
        sandbox.end_with_parent(self._parent_pid)

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """The whole life of the horse."""
        try:
            sandbox.name_process(horse.NAME)
            if self._standby is not None:
                self._standby.forget()
            clients.share_connection(self.connection)
            if self._terms is not None:
                confinement.begin(self._terms)
            super().main_work_horse(job, queue)
        except BaseException:  # a horse must not go on as a second worker
            self.log.exception("Worker %s: its horse did not start", self.name)
            os._exit(1)

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """Kill the horse if it has left this worker's process group; before that, RQ would kill this worker, too."""
        if self.horse_pid and horse.has_own_group(self.horse_pid):
            super().kill_horse(sig)

    def wait_for_horse(self) -> tuple[Any, Any, Any]:
        """RQ's own wait, under the guard. Keeps the exit status, and the pid, which RQ then sets to 0."""
        if self._guard is not None:
            self._guard.until_the_end_of(self.horse_pid, kill=self.kill_horse)
        pid, self._horse_status, usage = super().wait_for_horse()
        self._ended_horse = pid or 0
        if self._guard is not None and usage is not None:
            self._guard.note_end(usage)
        return pid, self._horse_status, usage

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """RQ's own. Children of the task that have died are taken out of the process table."""
        if self._children_before is not None:
            horse.reap(horse.children() - self._children_before - {self.horse_pid})
        super().maintain_heartbeats(job, execution)

    def monitor_work_horse(self, job: Job, queue: Queue, execution: Execution) -> None:
        """RQ's own. Meanwhile the next horse gets ready; afterwards nothing is left of this one."""
        self._horse_status, self._ended_horse = None, 0
        self._keep_standby()
        try:
            super().monitor_work_horse(job, queue, execution)
        finally:
            self._end_left_behind()

    def run_maintenance_tasks(self) -> None:
        """RQ's own, at the start and each ten minutes; and the temporary folders of workers that were killed."""
        scratch.sweep()
        super().run_maintenance_tasks()

    def teardown(self) -> None:
        """RQ's own; the standby ends, too."""
        if self._standby is not None and not self.is_horse:
            self._standby.end()
        super().teardown()

    def _end_left_behind(self) -> None:
        if self._children_before is None:
            return
        if left := horse.end_left_behind(self._ended_horse, self._children_before):
            self.log.warning("Worker %s: a task left %d processes behind; they were killed", self.name, left)
