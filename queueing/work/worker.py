"""The worker: RQ's worker with our queues, an allow-list of functions, and leases. Its base classes mend RQ's traps."""

import math
import os
import time
from typing import Any, cast

import redis
from django.db import connections
from redis.client import Pipeline
from rq import worker_registration
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.utils import utcformat
from rq.worker.base import WorkerStatus

from queueing import ending
from queueing.conf import conf, site
from queueing.line import clients, commands, failover
from queueing.line.jobs import RUNNER, LineJob, refused_job
from queueing.line.keys import presence_key
from queueing.line.places import Line
from queueing.line.queue import LineQueue
from queueing.line.tampering import shorten
from queueing.line.workers import WORKER_HEARTBEAT_INTERVAL, note_heartbeat
from queueing.models import Entry
from queueing.models.trouble import DATABASE_ERRORS
from queueing.states import Reason
from queueing.work import horse, lines
from queueing.work.birth import Birth
from queueing.work.forking import HorseWorker
from queueing.work.guard import Guard
from queueing.work.horse import NoHorse
from queueing.work.lease import Lease, timeout_of
from queueing.work.limits import limits_of
from queueing.work.report import Stage
from queueing.work.standby import Order

LONGEST_PAUSE = 30.0  # seconds between two claims while the database is away
PAUSE_WITHOUT_ROOM = 5.0  # seconds between two claims while the machine has no disk or no process for a task


class PresenceWorker(HorseWorker):
    """Serves lines, in turn. Claims only present entries, renews their leases, and never leaves a horse behind."""

    queue_class = LineQueue
    # Functions that may be run. A program that can write to Redis could name any other function.
    allowed_functions = frozenset({RUNNER})

    def __init__(self, queues: Any, *args: Any, **kwargs: Any) -> None:
        # rqworker-pool and rqworker hand over plain queues and pickle, whatever the settings say.
        kwargs |= {"queue_class": LineQueue, "job_class": LineJob, "serializer": JSONSerializer}
        # RQ's first heartbeat would come 30 s after the start; the lease is renewed at least three times in its life.
        kwargs["job_monitoring_interval"] = min(WORKER_HEARTBEAT_INTERVAL, max(1, round(conf.LEASE / 3)))
        super().__init__([_as_line_queue(queue, kwargs.get("connection")) for queue in queues], *args, **kwargs)
        for queue in self.line_queues:
            queue.worker_name = self.name
        self._lease: Lease | None = None  # for the entry that the horse is working on
        self._foreign_from: Line | None = None  # the line whose claim is a foreign job
        self._pause = 0.0  # seconds before the next claim, while the database is away

    # Waiting for work

    @property
    def dequeue_timeout(self) -> int:
        """Seconds between two heartbeats of an idle worker; RQ's own value is 405, too long for a live worker."""
        return WORKER_HEARTBEAT_INTERVAL

    @property
    def connection_timeout(self) -> int:
        """Seconds until a silent Redis counts as lost. In RQ, an idle worker blocks for as long."""
        return math.ceil(site.REDIS_TIMEOUT)

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """RQ's heartbeat. Also registers worker and queues again: RQ does so at birth only, and Redis may be new."""
        super().heartbeat(timeout, pipeline)
        if pipeline is not None:
            if os.getpid() == self._parent_pid:  # a standby knows only what was true at its fork
                pipeline.hset(self.key, mapping=self._told())
            worker_registration.register(self, pipeline)
            note_heartbeat(pipeline, self.name)

    def _told(self) -> dict[Any, Any]:
        """All that the worker tells about itself, see `line/desks.py`. RQ writes its own fields once, when they change.

        A Redis that was emptied would know neither host and process, nor that the worker is busy or about to end.
        """
        told: dict[Any, Any] = self.serialize() if self.birth_date else {"queues": ",".join(self.queue_names())}
        told |= {"state": self.get_state(), "quiet": "1" if self.is_quiet else ""}
        told["order"] = ",".join(queue.name for queue in self._ordered_queues)
        if self._shutdown_requested_date:
            told["shutdown_requested_date"] = utcformat(self._shutdown_requested_date)
        return told

    @property
    def is_quiet(self) -> bool:
        """True while the worker is told to take no more."""
        return any(queue.is_quiet for queue in self.line_queues)

    def handle_payload(self, message: Any) -> None:
        """RQ's own commands, and two of ours: take no more, and go on. RQ calls this in the thread that hears them."""
        if (quiet := commands.asks_for_quiet(message)) is None:
            super().handle_payload(message)
            return
        for queue in self.line_queues:
            queue.is_quiet = quiet
        self.log.info("Worker %s: %s", self.name, "takes no more" if quiet else "goes on")
        self.heartbeat()

    def register_birth(self) -> None:
        """RQ's own registration, and a heartbeat, which RQ leaves out."""
        super().register_birth()
        self.heartbeat()

    # Running

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Fork a horse for the job, if its function is allowed."""
        if job.func_name not in self.allowed_functions:
            with self.outage.survived():  # else the claim stays, and is refused later
                self._refuse(job, queue)
            return
        self._lease = self._guard = self._terms = self._horse = self._opening = self._foreign_from = None
        self._children_before = horse.children()
        if job.func_name == RUNNER:
            self._lease = Lease(self.name, job.id)
            self._execute_guarded(job, queue)
        else:
            self._bury()
            self._foreign_from = cast("LineQueue", queue).line
            super().execute_job(job, queue)

    def _execute_guarded(self, job: Job, queue: Queue) -> None:
        assert self._lease is not None
        assert self._children_before is not None
        limits, before = limits_of(queue.name), self._children_before
        job.timeout = timeout_of(queue.name)
        self.open_books()  # first: a stop between the folder and its guard would leave the folder behind
        try:
            if self._standby is not None and not self._standby.birth.scratch.is_there:
                self._end_standby()
            birth = self._standby.birth if self._standby else Birth.now()
        except OSError as error:
            self.log.warning("Worker %s: no temporary folder for a task: %s", self.name, error)
            self._give_back(queue)
            return
        self._guard = Guard(limits, birth, timeout=job.timeout, children_before=before)
        self._terms = self._guard.terms
        try:
            self._horse = self._hand_over(Order(job.id, queue.name))
            with lines.for_debugging(self.log):
                super().execute_job(job, queue)
        except NoHorse as error:
            self.log.warning("Worker %s: no process for a task: %s", self.name, error)
            self.executions.clear()
            self._give_back(queue)
        finally:
            if self._parted is None or self._parted.scratch is not self._guard.scratch:
                self._guard.scratch.delete()
                if self._horse is not None:
                    self._horse.channel.close()

    def _give_back(self, queue: Queue) -> None:
        """An entry for which this machine has no room now goes back to its place."""
        assert self._lease is not None
        self._bury()  # the horse before may have what is missing
        self._settle(self._lease, cast("LineQueue", queue))
        time.sleep(PAUSE_WITHOUT_ROOM)
        self.set_state(WorkerStatus.IDLE)

    def prepare_execution(self, job: Job) -> Execution:
        """RQ's own. A foreign job has no row: from here on RQ's registries look after it, and its claim ends."""
        execution = super().prepare_execution(job)
        if self._foreign_from is not None:
            self._foreign_from.end_claim(self.name, job.id)
            self.connection.delete(presence_key(job.id))
        return execution

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """Renew the lease, several times in its life, or end a horse that works for nobody. Or tell of a late start."""
        if self._has_untold_start:
            self._tell_start(job)
            return
        if self._lease is not None:
            self._renew(self._lease)  # first, so that a Redis that hangs does not cost the lease
        super().maintain_heartbeats(job, execution)

    def monitor_work_horse(self, job: Job, queue: Queue, execution: Execution) -> None:
        """Wait for the end of the horse, and see that its row is settled."""
        try:
            super().monitor_work_horse(job, queue, execution)
        finally:  # settle the row even if RQ's own books fail
            if self._lease is not None:
                self._end(job, cast("LineQueue", queue), execution, self._lease)

    def teardown(self) -> None:
        """Give a claim back without delay: the worker was stopped between the claim and the start."""
        if not self.is_horse:
            clients.drop_unread(self.connection, *(queue.connection for queue in self.queues))
            for queue in self.line_queues:
                try:
                    for worker, claim in queue.line.claims().items():
                        if worker == self.name:
                            queue.line.release(worker, claim.job_id, claim.score)
                except redis.RedisError as error:
                    self.outage.note(error)  # the claim is left to the keeper
        super().teardown()

    def _handle_stopped_job(self, job: Job, queue: Queue, execution: Execution) -> None:
        """End the row after RQ's stop command, from its dashboard or by code."""
        entry = Entry.objects.of_job(job.id) if job.func_name == RUNNER else None
        if entry is not None and entry.cancel(Reason.ENDED):
            ending.finish(entry)
        super()._handle_stopped_job(job, queue, execution)

    # Details

    def _refuse(self, job: Job, queue: Queue) -> None:
        cast("LineQueue", queue).line.end_claim(self.name, job.id)
        message = f"{shorten(job.func_name)} is not one of this worker's allowed_functions"
        self.log.error("Worker %s: job %s refused, %s", self.name, job.id, message)
        self.handle_job_failure(refused_job(job, queue.name), queue, exc_string=message)

    def _renew(self, lease: Lease) -> None:
        try:
            if not lease.renew(has_started=self._horse is not None and self._horse.report.attempt > 0):
                self.log.info("Worker %s: ends the horse of entry %s: %s", self.name, lease.job_id, lease.why)
                self.kill_horse()
        except DATABASE_ERRORS:
            self.log.warning("Worker %s: the lease of %s was not renewed", self.name, lease.job_id, exc_info=True)
        finally:
            connections.close_all()  # never open across a fork

    def _end(self, job: Job, queue: LineQueue, execution: Execution, lease: Lease) -> None:
        """RQ's books of an entry's job, and its row, after the end of its horse."""
        assert self._horse is not None
        if self._horse.report.stage == Stage.OVER:
            self.note_end(job, execution)
            if self._parted is None:
                self.write_books()
            if self._horse.report.attempt or not self._has_claim(queue):
                return  # the row is settled; to read it would cost a new connection to the database each time
        elif self._horse_status == os.EX_OK:  # the runner failed; of a horse that died, RQ has written it
            with self.outage.survived():
                self.handle_job_failure(job, queue, exc_string=self._horse.last_words(), execution=execution)
        self._settle(lease, queue)

    def _has_claim(self, queue: LineQueue) -> bool:
        with self.outage.survived():
            return bool(self.connection.hexists(queue.line.keys.claims, self.name))
        return True

    def _settle(self, lease: Lease, queue: LineQueue) -> None:
        try:
            lease.settle(queue.line, self._horse_status, self._guard)
            self._pause = 0.0
        except redis.RedisError as error:
            self.outage.note(error)  # the claim stays and is given again; the keeper looks after the rest
        except DATABASE_ERRORS:
            # Without a pause, an idle worker would claim the same entry and fork again and again.
            self._pause = min(max(1.0, 2 * self._pause), LONGEST_PAUSE)
            self.log.warning("Worker %s: the database is away; next claim in %d s", self.name, self._pause)
            time.sleep(self._pause)
        finally:
            connections.close_all()


def _as_line_queue(queue: Any, connection: "redis.Redis | None") -> LineQueue:
    """The queue as one of ours. Its connections follow a failover, whoever has made them."""
    if client := getattr(queue, "connection", connection):
        failover.follow(client, timeout=site.REDIS_TIMEOUT)
    if isinstance(queue, LineQueue):
        return queue
    if isinstance(queue, Queue):
        return LineQueue(queue.name, connection=queue.connection)
    return LineQueue(queue, connection=connection)
