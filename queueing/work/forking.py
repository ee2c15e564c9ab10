"""The life of a worker's horses: handed over or forked, guarded, and ended with all that they have started."""

import os
import signal
from contextlib import suppress
from typing import Any

import redis
from django.db import connections
from rq.exceptions import DequeueTimeout
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.timeouts import HorseMonitorTimeoutException

from queueing import sandbox
from queueing.line import clients
from queueing.models.trouble import DATABASE_ERRORS
from queueing.work import confinement, horse, runner, scratch
from queueing.work.guard import Guard
from queueing.work.parting import Parted
from queueing.work.ready import ReadyWorker
from queueing.work.report import Stage

START_WAIT = 0.5  # seconds in which a start is told without delay; one that takes longer is told a moment later


class HorseWorker(ReadyWorker):
    """A worker that never leaves a horse behind."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._parent_pid = os.getpid()
        self._guard: Guard | None = None  # over the horse
        self._horse_status: int | None = None
        self._ended_horse = 0  # pid
        self._parted: Parted | None = None  # the horse before this one

    # Waiting for work

    def check_for_suspension(self, burst: bool) -> None:
        """RQ's own. Right after a task, the claim asks the same."""
        if not self._goes_straight_on:
            super().check_for_suspension(burst)

    def write_heartbeat(self, timeout: int | None = None) -> None:
        """Left out right after a task: either the books of the next one have it, or the wait for one."""
        if not self._goes_straight_on:
            super().write_heartbeat(timeout)

    @property
    def _goes_straight_on(self) -> bool:
        """True right after a task: the next job needs a claim alone. Not in an outage, whose end a write tells."""
        return self._parted is not None and not self.outage.is_known

    def _next_job(self, timeout: int | None) -> tuple[Job, Queue] | None:
        if self._goes_straight_on:
            with suppress(DequeueTimeout, redis.RedisError, *DATABASE_ERRORS):  # the usual way tells of an outage
                return self._claim(0)
        self._bury()
        self._keep_standby()
        return super()._next_job(timeout)

    # The life of a horse

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        """Fork for a foreign job, as RQ does. Raises OSError.

        The job of an entry has its horse already: RQ's books are written while it starts.
        """
        if self._horse is None:
            connections.close_all()  # never open across a fork
            super().fork_work_horse(job, queue)
            return
        if self._parted is not None:  # a full line: the next job comes soon
            self._keep_standby()
        self.write_start(job)
        self._horse.await_stage(Stage.STARTED, START_WAIT)
        self._tell_start(job)
        self._bury()

    @property
    def _has_untold_start(self) -> bool:
        return self._horse is not None and self._horse.report.attempt > 0 and not self._horse.report.start_is_told

    def _tell_start(self, job: Job) -> None:
        """Once the horse has started the entry: end the claim, and tell the pages."""
        if self._horse is not None and self._has_untold_start:
            runner.note_start(job.origin, job.id, self.name, self._horse.report.attempt)
            self._horse.report.note_told()

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
            clients.share_connection(self.connection, queue.name)
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
        """RQ's own wait, under the guard. Keeps the exit status, and the pid, which RQ then sets to 0.

        1. A late start raises what RQ's alarm raises, so that `maintain_heartbeats` tells of it.
        2. A horse whose entry is settled need not have ended.
        """
        if self._guard is not None:
            with horse.sign_of(self.horse_pid, self._horse) as has_come:
                while not horse.has_ended(self.horse_pid):
                    if self._has_untold_start:
                        raise HorseMonitorTimeoutException
                    if self._parts():
                        return self._horse_pid, os.EX_OK, None
                    self._guard.until(has_come, kill=self.kill_horse)
        pid, self._horse_status, usage = super().wait_for_horse()
        self._ended_horse = pid or 0
        if self._guard is not None and usage is not None:
            self._guard.note_end(usage)
        return pid, self._horse_status, usage

    def _parts(self) -> bool:
        """True if the horse has nothing to do but to end, and leaves nothing behind: nobody has to wait for that."""
        pid = self._horse_pid
        if self._horse is None or self._guard is None or self._horse.report.stage < Stage.OVER:
            return False
        if self._children_before is None or not horse.is_alone(pid, self._children_before):
            self._horse.release()
            return False
        self._parted, self._horse_status = Parted(self._horse, self._guard.scratch), os.EX_OK
        return True

    def _bury(self) -> None:
        """See to the end of a horse that has parted, and write what is unwritten."""
        if self._parted is not None:
            self._parted.end()
            self._parted = None
        self.write_books()

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
            self._tell_start(job)
            if self._parted is None:
                self._end_left_behind()

    def run_maintenance_tasks(self) -> None:
        """RQ's own, at the start and each ten minutes; and the temporary folders of workers that were killed."""
        scratch.sweep()
        super().run_maintenance_tasks()

    def teardown(self) -> None:
        """RQ's own; the standby ends, too."""
        if not self.is_horse:
            self._bury()
            self._end_standby()
        super().teardown()

    def _end_left_behind(self) -> None:
        if self._children_before is None:
            return
        if left := horse.end_left_behind(self._ended_horse, self._children_before):
            self.log.warning("Worker %s: a task left %d processes behind; they were killed", self.name, left)
