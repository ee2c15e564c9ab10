"""RQ's books of an entry's job: kept by the worker, beside the horse, so that neither start nor end waits for them.

    hand-over  the horse has the job; meanwhile the worker writes that it is started
    over       the row is settled; the worker writes that the job is done, with the next one's start if there is one

A horse of a foreign job keeps its own books, as in RQ. RQ watches a job that ends for new dependents; no job waits for
an entry, so nothing is watched here. Books that a dead worker leaves open, or a horse that died in an outage, end by
RQ's own maintenance.
"""

from datetime import timedelta
from typing import Any

from redis.client import Pipeline
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.registry import StartedJobRegistry
from rq.results import Result
from rq.utils import now
from rq.worker.base import WorkerStatus

from queueing.work import report
from queueing.work.outage import PatientWorker

LATEST_HEARTBEAT = timedelta(seconds=1)  # since a heartbeat that the books need not repeat


class BookkeepingWorker(PatientWorker):
    """A worker that keeps the books of its horses."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unwritten: Pipeline | None = None  # books of jobs that are done
        self._opening: Pipeline | None = None  # the first books of the job at hand, if it is an entry's

    # In the worker

    def open_books(self) -> None:
        """The job of an entry begins: from here on SIGTERM waits for its end."""
        self._opening = self.connection.pipeline()
        self.set_state(WorkerStatus.BUSY, pipeline=self._opening)

    def prepare_execution(self, job: Job) -> Execution:
        """RQ's own. For an entry's job nothing is written yet: the horse does not wait for it."""
        if self._opening is None:
            return super().prepare_execution(job)
        heartbeat_ttl = self.get_heartbeat_ttl(job)
        execution = Execution.create(job, heartbeat_ttl, pipeline=self._opening, worker_name=self.name)
        self.executions[execution.id] = execution
        return execution

    def write_start(self, job: Job) -> None:
        """Write that the job is started, as RQ's worker and horse do; and what is unwritten."""
        pipe, ttl = self._pipe(), self.get_heartbeat_ttl(job)
        if self._opening is not None:
            pipe.command_stack += self._opening.command_stack
        if self.last_heartbeat is None or now() - self.last_heartbeat > LATEST_HEARTBEAT:
            self.heartbeat(ttl, pipeline=pipe)
        job.prepare_for_execution(self.name, pipeline=pipe)
        pipe.persist(job.key)
        self.write_books()

    def note_end(self, job: Job, execution: Execution) -> None:
        """The job is done: it goes, with its execution. It is written with the next books."""
        pipe, job.ended_at = self._pipe(), now()
        self.increment_successful_job_count(pipeline=pipe)
        self.increment_total_working_time(job.ended_at - (job.started_at or job.ended_at), pipe)
        self.cleanup_execution(job, pipeline=pipe, execution=execution)
        # As `job.delete` of RQ, which asks Redis five times what there is to delete.
        pipe.delete(job.key, job.dependents_key, job.dependencies_key, job.execution_registry.key)
        pipe.delete(Result.get_key(job.id))

    def write_books(self) -> None:
        """Send what is unwritten, in one round trip. What Redis refuses in an outage is sent with the next books."""
        pipe, self._unwritten = self._unwritten, None
        if pipe is None:
            return
        books = list(pipe.command_stack)
        with self.outage.survived(), pipe:
            pipe.execute()
            return
        self._pipe().command_stack += books

    def _pipe(self) -> Pipeline:
        self._unwritten = self._unwritten or self.connection.pipeline()
        return self._unwritten

    # In the horse of an entry

    def prepare_job_execution(self, job: Job, remove_from_intermediate_queue: bool = False) -> None:
        """RQ's own; for an entry's job the worker writes it."""
        if report.speaker() is None:
            super().prepare_job_execution(job, remove_from_intermediate_queue)

    def handle_execution_ended(self, job: Job, queue: Queue, heartbeat_ttl: int) -> None:
        """RQ's own; for an entry's job the worker writes it."""
        if report.speaker() is None:
            super().handle_execution_ended(job, queue, heartbeat_ttl)

    def handle_job_success(
        self, job: Job, queue: Queue, started_job_registry: StartedJobRegistry, execution: Execution
    ) -> None:
        """RQ's own; for an entry's job the horse says that it is over, and the worker writes it."""
        if (speaker := report.speaker()) is None:
            super().handle_job_success(job, queue, started_job_registry, execution)
        else:
            speaker.over()
            speaker.await_release()

    def handle_job_failure(
        self,
        job: Job,
        queue: Queue,
        started_job_registry: StartedJobRegistry | None = None,
        exc_string: str = "",
        execution: Execution | None = None,
    ) -> None:
        """RQ's own; for an entry's job, whose runner has failed, the worker writes it."""
        if (speaker := report.speaker()) is None:
            super().handle_job_failure(job, queue, started_job_registry, exc_string, execution)
        else:
            speaker.failed(exc_string)
