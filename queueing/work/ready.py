"""The worker's standby: forked before its job is there, and handed over to it. See `standby.py`."""

import gc
import logging
import os
import socket
import uuid
from functools import partial
from itertools import chain
from typing import Any, cast

import redis
from django.db import connections
from rq.executions import Execution
from rq.job import Job

from queueing import logs, shared_clock
from queueing.line import clients
from queueing.line.jobs import entry_job
from queueing.line.queue import LineQueue
from queueing.models.trouble import DATABASE_ERRORS, is_out_of_reach
from queueing.work import confinement, horse, lines, rehearsal, report, standby, warming
from queueing.work.birth import Birth, Terms
from queueing.work.books import BookkeepingWorker
from queueing.work.lease import timeout_of
from queueing.work.limits import limits_of
from queueing.work.report import Listener
from queueing.work.standby import Order, Standby


class ReadyWorker(BookkeepingWorker):
    """A worker that keeps a standby."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_warm = False  # before that, a standby would lack what is loaded for all horses
        self._standby: Standby | None = None  # the horse of the next job
        self._horse: Listener | None = None  # of an entry
        self._terms: Terms | None = None  # of that horse
        self._children_before: set[int] | None = None  # of this worker, beside the horse and what it starts

    @property
    def line_queues(self) -> list[LineQueue]:
        """The queues that this worker serves."""
        return cast("list[LineQueue]", self.queues)

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        """Warm up before the first fork, so that horses inherit modules, models, queries and caches."""
        logs.act_as("worker")
        warming.warm_up(self.queue_names())
        shared_clock.follow()  # horses inherit what is known of it
        try:
            rehearsal.warm_up(self.queue_names())
        except (*DATABASE_ERRORS, redis.RedisError) as error:
            if is_out_of_reach(error) or isinstance(error, (redis.ConnectionError, redis.TimeoutError)):
                said = " ".join(str(error).split())
                self.log.warning("Worker %s: a cold start, without the database or Redis (%s)", self.name, said)
            else:  # of the code, or of the schema
                self.log.warning("Worker %s: a cold start", self.name, exc_info=True)
        finally:
            connections.close_all()  # never open across a fork
        horse.adopt_orphans()
        confinement.prepare(self.name)
        gc.freeze()  # a collection in a horse would copy every page of this heap
        self._is_warm = True
        super().bootstrap(*args, **kwargs)

    def _hand_over(self, order: Order) -> Listener:
        """The horse of this job: the standby, or a new child. Raises NoHorse."""
        assert self._terms is not None
        assert self._children_before is not None
        standby, self._standby = self._standby, None
        while True:
            if standby is None:
                try:
                    standby = self._fork_standby(self._terms.birth)
                except OSError as error:
                    raise horse.NoHorse(str(error)) from error
            self._children_before.discard(standby.pid)
            self._horse_pid = standby.pid  # a stop command finds it from now on
            listener = standby.hand_over(order)
            if listener.is_open or self._stopped_job_id == order.job_id:
                return listener
            self._horse_pid, standby = 0, None

    def _keep_standby(self) -> None:
        """See that there is a standby for the next job, and that it is fit."""
        if self._standby is not None and not self._standby.is_fit(self.queue_names()):
            self._end_standby()
        if self._standby is None and self._is_warm:
            try:
                self._standby = self._fork_standby()
            except OSError as error:
                self.log.warning("Worker %s: no standby: %s", self.name, error)
        if self._standby is not None and self._children_before is not None:
            self._children_before.add(self._standby.pid)

    def _end_standby(self) -> None:
        if self._standby is not None:
            self._standby.end()
            self._standby.birth.scratch.delete()
            self._standby = None

    def _fork_standby(self, birth: Birth | None = None) -> Standby:
        connections.close_all()  # never open across a fork
        made = birth or Birth.now()
        try:
            return Standby.fork(self.queue_names(), self._stand_by, made)
        except BaseException:  # also a stop, while the worker waits for work
            if birth is None:
                made.scratch.delete()
            raise

    def _stand_by(self, channel: socket.socket, birth: Birth) -> None:
        """The life of a standby, in its own process."""
        if self._horse is not None:
            self._horse.channel.close()
        clients.share_connection(self.connection, self.queue_names()[0])  # all of them are on it
        made_up = partial(self._prepare, Order(uuid.UUID(int=0).hex, self.queue_names()[0]))
        rights = [partial(confinement.make_ready, name, birth.scratch.path) for name in self.queue_names()]
        order = standby.await_order(channel, chain(rehearsal.steps(self.queue_names()), [made_up], rights))
        job, queue = self._prepare(order)
        self._terms, self._standby = Terms(limits_of(queue.name), birth), None
        report.begin(birth.report, channel)
        with lines.for_debugging(logging.getLogger("rq.worker")):
            self.main_work_horse(job, queue)

    def _prepare(self, order: Order) -> tuple[Job, LineQueue]:
        """In a standby: what RQ's horse needs to have of its job."""
        os.environ |= {"RQ_WORKER_ID": self.name, "RQ_JOB_ID": order.job_id}
        queue = next(queue for queue in self.line_queues if queue.name == order.line)
        job = entry_job(queue.name, self.connection, order.job_id)
        job.timeout = timeout_of(queue.name)
        self.execution = Execution("", job.id, self.connection, self.name)  # its worker has the true one
        return job, queue
