"""The job of a work horse, for one claimed entry: the last look, the start, the task, the result."""

import logging
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

from django.db import connection
from django.tasks.signals import task_started

from queueing import ending, events, signals, site_time
from queueing.conf import conf
from queueing.exceptions import StorageError, VisitorLeft
from queueing.history.counting import undo_start
from queueing.line import clients, presence
from queueing.line.clients import RedisError
from queueing.line.jobs import current_job_id
from queueing.line.places import get_line
from queueing.logs import about
from queueing.models import Entry
from queueing.registry import all_tasks
from queueing.results import result_of, task_of
from queueing.states import FAILED_BY_US, Reason, Status
from queueing.storage import folders
from queueing.values import returned
from queueing.work import blame, confinement, isolation, report, retrying
from queueing.work.attempt import Attempt, EntryContext, Running
from queueing.work.patience import RETRY_IN
from queueing.work.storing import until_stored

logger = logging.getLogger("queueing")

# A start that took longer than this many seconds is worth another look at presence.
SLOW_START = 1.0


def warm_up() -> None:
    """Before the first fork, run the start path once with a made-up entry.

    Every horse inherits the imported modules, compiled queries and caches. Without the warm-up, each horse would spend
    a third of the time from the claim to the first line of the task on them.
    """
    folders.warm_up()
    for heavy_task in all_tasks().values():
        made_up = Entry(pk=0, queue=heavy_task.name, task_path=heavy_task.task.module_path, status=Status.RUNNING)
        presence.is_present(made_up.job_id)
        Entry.objects.start_first_attempt(made_up.job_id, "")
        Entry.objects.of_job(made_up.job_id)
        result_of(made_up)
        made_up.succeed({})
        events.publish(made_up.code)


def rehearsal() -> Iterator[Callable[[], object]]:
    """For a standby: the steps of a horse before and after its task, for an entry that is none.

    They open connections. And a fork shares its memory with its worker until it writes to it; a start writes to some
    thousand pages. So the copies are made here, before anybody waits for them. A step may raise DATABASE_ERRORS or
    RedisError.
    """
    heavy_task = next(iter(all_tasks().values()))
    made_up = Entry(pk=0, queue=heavy_task.name, task_path=heavy_task.task.module_path, status=Status.RUNNING)
    made_up.worker_ids, made_up.attempt = [""], 1
    yield partial(presence.is_present, made_up.job_id)
    yield connection.ensure_connection
    yield site_time.timestamp  # asks, if it is time to
    yield partial(_plan, partial(Entry.objects.start_first_attempt, made_up.job_id, ""))
    yield partial(result_of, made_up)
    yield partial(confinement.rehearse, made_up)
    yield partial(_plan, partial(made_up.succeed, {}))


def _plan(move: Callable[[], object]) -> None:
    """Let the database plan the statement of a move."""
    with connection.execute_wrapper(_explain), suppress(Explained):
        move()


class Explained(Exception):
    """The database has planned a statement, which is not to run."""


def _explain(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> None:
    """Plan a statement. To run an UPDATE, also of no row, would make the horse that works wait on SQLite."""
    execute(f"EXPLAIN {sql}", params, many, context)
    raise Explained


def run() -> None:
    """The job of every entry. RQ hands over the job's id only; everything else is read from the row."""
    run_entry(current_job_id())


def run_entry(job_id: str) -> None:
    """Start the entry if its visitor is there, and run its task."""
    worker, began = os.environ.get("RQ_WORKER_ID", ""), time.monotonic()
    entry = _start_in_one_query(job_id, worker) or _start_from_row(job_id, worker)
    if entry is None or _gave_back_slow_start(entry, worker, began):
        return
    _tell_start(entry, worker)
    execute(entry)


def _start_in_one_query(job_id: str, worker: str) -> Entry | None:
    """The usual case in one query: a first attempt for a visitor who is there. None: read the row."""
    try:
        is_there = presence.is_present(job_id)
    except RedisError:
        return None
    return Entry.objects.start_first_attempt(job_id, worker) if is_there else None


def _start_from_row(job_id: str, worker: str) -> Entry | None:
    """Start an entry in every other case. None: nothing was started, and the claim has ended or gone back."""
    entry = Entry.objects.of_job(job_id)
    if entry is None:
        return None  # deleted while it waited; the worker clears the claim
    if entry.status == Status.WAITING and not _is_wanted(entry):
        ending.release(entry, worker)
        return None
    if entry.status == Status.WAITING and entry.start(worker):
        return entry
    _end_claim(entry.queue, worker, job_id)  # the entry has ended, or somebody else has started it
    return None


def _tell_start(entry: Entry, worker: str) -> None:
    """Tell that the entry has started: a horse tells its worker, which does what the task need not wait for."""
    if (speaker := report.speaker()) is not None:
        speaker.started(entry.attempt)
    else:
        note_start(entry.queue, entry.job_id, worker, entry.attempt)


def note_start(queue: str, job_id: str, worker: str, attempt: int) -> None:
    """End the claim of an entry that has started, and tell its pages."""
    _end_claim(queue, worker, job_id, started=_started(attempt, worker))
    events.publish(uuid.UUID(job_id))


def _started(attempt: int, worker: str) -> str:
    """The timeline's text about a start."""
    return f"attempt {attempt}, {worker}"


def _gave_back_slow_start(entry: Entry, worker: str, began: float) -> bool:
    """True if the start took so long that the visitor has left meanwhile: the start is undone."""
    if time.monotonic() - began <= SLOW_START or _is_wanted(entry):
        return False
    undo_start(entry)
    ending.release(entry, worker)
    return True


class End(NamedTuple):
    """The end of an attempt."""

    move: Callable[[], bool]  # of the row
    again: str = ""  # why the task is tried again, for staff


def execute(entry: Entry) -> None:
    """Run the task of a started entry, and end the attempt in one fenced step."""
    attempt = Attempt(entry)
    signals.run_started.send_robust(entry.queue, entry=entry)
    try:
        _run_and_end(entry, attempt)
    finally:
        signals.run_ended.send_robust(entry.queue, entry=entry, error=attempt.error)


def _run_and_end(entry: Entry, attempt: Attempt) -> None:
    number = entry.attempt
    end = _end_of(entry, attempt)
    if (speaker := report.speaker()) is not None:  # in a horse
        left, _ = signal.setitimer(signal.ITIMER_REAL, 0)  # the timeout was the task's, not that of what follows
        if left == 0:  # it has rung
            clients.drop_unread()
        speaker.task_is_over()
    worker = entry.worker_ids[-1]
    moved = _store(entry, end.move)
    if speaker is not None and not speaker.start_is_told:  # it must not come after the end
        _end_claim(entry.queue, worker, entry.job_id, started=_started(number, worker))
    if not moved:  # the visitor stopped the entry, a later attempt has it, or a commit's answer was lost
        until_stored(entry, entry.refresh_from_db)
    is_ours = entry.attempt == number
    if not (is_ours and entry.status == Status.SUCCEEDED):
        attempt.delete_files()
    if is_ours and not entry.is_live:
        ending.finish(entry)
    elif is_ours and end.again and entry.status == Status.WAITING:
        ending.put_off(entry, end.again)


def _end_of(entry: Entry, attempt: Attempt) -> End:
    """Run the task; returns the end of the attempt."""
    try:
        value = _call(entry, attempt)
    except VisitorLeft:
        if attempt.absence is None:
            return End(lambda: False)  # the row was moved by somebody else: cancelled, or taken over by a later attempt
        return End(partial(entry.abandon, Reason(attempt.absence)))
    except BaseException as error:  # noqa: BLE001  # sys.exit, and libraries whose panics are no Exception, too
        return _end_by(error, entry, attempt)
    return End(partial(entry.succeed, value, attempt.files))


def _end_by(error: BaseException, entry: Entry, attempt: Attempt) -> End:
    """The end of an attempt whose task raised this: a failure, or another try."""
    if isinstance(error, StorageError):  # of our making: the task gets its input, or keeps its files, later
        logger.warning("entry %s: the storage is away, tried again in %g s: %s", entry.code, RETRY_IN, error)
        return End(partial(entry.try_again_in, RETRY_IN), f"in {RETRY_IN:g} s, because the storage was away: {error}")
    verdict = blame.of_exception(error)
    if verdict.reason not in FAILED_BY_US:
        return End(partial(verdict.fail, entry))
    attempt.error = error
    pause, extra = retrying.pause_after(entry, error), about(entry, event="error")
    if pause is not None:
        logger.warning("entry %s failed, and is tried again in %g s", entry.code, pause, exc_info=error, extra=extra)
        return End(partial(entry.try_again_in, pause), f"in {pause:g} s, after {verdict.error_class}: {error}")
    logger.error("entry %s failed", entry.code, exc_info=error, extra=extra)
    return End(partial(verdict.fail, entry))


def _store(entry: Entry, end: Callable[[], bool]) -> bool:
    """Make the move that ends the row. An end that the database refuses for good is a failure, and staff read why.

    Raises the database's error if it refuses that failure, too. Then the worker gives the entry back, or the keeper
    does so when the lease is over; files stay, because the answer to an earlier commit may have been lost.
    """
    try:
        return until_stored(entry, end)
    except Exception as error:
        logger.exception("entry %s: its end cannot be stored, it ends as failed", entry.code, extra=about(entry))
        verdict = blame.of_exception(error)
    return until_stored(entry, partial(verdict.fail, entry))


def _call(entry: Entry, attempt: Attempt) -> Any:
    """The task's return value, as JSON keeps it. Raises the task's exception, or ImportError for a missing function."""
    task = task_of(entry)
    result = result_of(entry)
    task_started.send_robust(type(task.get_backend()), task_result=result)

    def run(running: Running) -> Any:
        context = [EntryContext(task_result=result, running=running)] if task.takes_context else []
        with _in_this_process():
            return task.call(*context, *entry.args, **entry.kwargs)

    room = confinement.enter(entry)
    value = run(attempt) if room is None else isolation.call(run, attempt, room)
    return returned(value)


@contextmanager
def _in_this_process() -> Iterator[None]:
    """End a forked child of the task that returns or raises inside the task: only the horse may end the row."""
    pid = os.getpid()
    try:
        yield
    except BaseException as error:
        if os.getpid() != pid:
            os._exit(error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 1)
        raise
    if os.getpid() != pid:
        os._exit(0)


def _is_wanted(entry: Entry) -> bool:
    """The last look: True if the visitor is present. If Redis gives no answer for REDIS_PATIENCE, the task runs."""
    if entry.needs_nobody:
        return True
    give_up = time.monotonic() + conf.REDIS_PATIENCE
    while True:
        try:
            return presence.is_present(entry.job_id)
        except RedisError:
            if time.monotonic() >= give_up:
                logger.warning("entry %s runs without a last look: Redis gave no answer", entry.code)
                return True
            time.sleep(1)


def _end_claim(queue: str, worker: str, job_id: str, *, started: str = "") -> None:
    """End the claim. After an error the claim stays, is offered to this worker again, and ends here again."""
    try:
        get_line(queue).end_claim(worker, job_id, started=started)
    except RedisError as error:
        logger.warning("the claim of job %s is still there: %s", job_id, clients.told(error))
