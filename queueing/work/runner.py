"""What a work horse does with one claimed entry: a last look, the start, the task, the result."""

import json
import logging
import os
import time
import traceback
from typing import Any

from django.db import DataError, IntegrityError, OperationalError, connection
from django.tasks.signals import task_started
from django.utils.json import normalize_json

from queueing import ending, events
from queueing.conf import conf
from queueing.exceptions import UnusableInput, VisitorLeft
from queueing.line import presence
from queueing.line.clients import RedisError
from queueing.line.jobs import TaskTimeout, current_job_id
from queueing.line.places import get_line
from queueing.models import Entry
from queueing.registry import all_tasks
from queueing.results import result_of, task_of
from queueing.states import Reason, Status
from queueing.work.attempt import Attempt, EntryContext

logger = logging.getLogger("queueing")

# A start that took longer than this many seconds is worth another look at presence.
SLOW_START = 1.0

ERROR_SENTENCE = "Something went wrong while working on this. The people who run this site can see the details."
TIMEOUT_SENTENCE = "This took longer than the task may run, and was stopped."


def warm_up() -> None:
    """Before the first fork, run the start path once with a made-up entry.

    What it leaves behind (modules, compiled queries, caches) is inherited by every horse. Made anew in each of them, it
    would take a third of the time from the claim to the first line of the task.
    """
    for heavy_task in all_tasks().values():
        made_up = Entry(pk=0, queue=heavy_task.name, task_path=heavy_task.task.module_path, status=Status.RUNNING)
        presence.is_present(made_up.job_id)
        Entry.objects.start_first_attempt(made_up.job_id, "")
        Entry.objects.of_job(made_up.job_id)
        result_of(made_up)
        made_up.succeed({})
        events.publish(made_up.code)


def run() -> None:
    """The job of every entry. It is given its id only; the rest is read from the row."""
    run_entry(current_job_id())


def run_entry(job_id: str) -> None:
    """Start the entry if its visitor is there, and run its task."""
    worker, began = os.environ.get("RQ_WORKER_ID", ""), time.monotonic()
    entry = _start_at_once(job_id, worker) or _start_from_row(job_id, worker)
    if entry is None or _gave_back_slow_start(entry, worker, began):
        return
    _end_claim(entry.queue, worker, job_id, started=f"attempt {entry.attempt}, {worker}")
    execute(entry)


def _start_at_once(job_id: str, worker: str) -> Entry | None:
    """The usual case in one query: a first attempt for a visitor who is there. None: look at the row."""
    try:
        is_there = presence.is_present(job_id)
    except RedisError:
        return None
    return Entry.objects.start_first_attempt(job_id, worker) if is_there else None


def _start_from_row(job_id: str, worker: str) -> Entry | None:
    """Every other case. None: nothing was started, and the claim has ended or gone back."""
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


def _gave_back_slow_start(entry: Entry, worker: str, began: float) -> bool:
    """True if the start took so long that the visitor has left meanwhile: then it is undone."""
    if time.monotonic() - began <= SLOW_START or _is_wanted(entry):
        return False
    entry.undo_start()
    ending.release(entry, worker)
    return True


def execute(entry: Entry) -> None:
    """Run the task of a started entry, and end the row in one fenced step."""
    heavy_task, number = all_tasks().get(entry.queue), entry.attempt
    attempt = Attempt(entry, stops_on_leave=entry.needs_presence and (heavy_task is None or heavy_task.stops_on_leave))
    events.publish(entry.code)
    try:
        value = _call(entry, attempt)
    except VisitorLeft:
        # Without an absence, the row was moved by somebody else: cancelled, or taken over by a later attempt.
        moved = attempt.absence is not None and entry.abandon(Reason(attempt.absence))
    except UnusableInput as error:
        moved = entry.fail(Reason.UNUSABLE, str(error), **_for_staff(error))
    except TaskTimeout as error:
        moved = entry.fail(Reason.TIMEOUT, TIMEOUT_SENTENCE, **_for_staff(error))
    except Exception as error:
        logger.exception("entry %s failed", entry.code)
        moved = entry.fail(Reason.ERROR, ERROR_SENTENCE, **_for_staff(error))
    else:
        moved = _store(entry, value, attempt)
    if not moved:
        entry.refresh_from_db()  # the visitor stopped it, a later attempt has it, or a commit's answer was lost
    is_ours = entry.attempt == number
    if not (is_ours and entry.status == Status.SUCCEEDED):
        attempt.delete_files()
    if is_ours and not entry.is_live:
        ending.finish(entry)


def _call(entry: Entry, attempt: Attempt) -> Any:
    """The task's return value, as JSON keeps it. Raises what the task raises, or ImportError when it is gone."""
    task = task_of(entry)
    result = result_of(entry)
    task_started.send_robust(type(task.get_backend()), task_result=result)
    context = [EntryContext(task_result=result, running=attempt)] if task.takes_context else []
    value = normalize_json(task.call(*context, *entry.args, **entry.kwargs))
    json.dumps(value, allow_nan=False)  # NaN is not JSON: better an error of the task than one of the database
    return value


def _store(entry: Entry, value: Any, attempt: Attempt) -> bool:
    """The result into the row. A database that is away is asked again for half a lease."""
    give_up = time.monotonic() + conf.LEASE / 2
    while True:
        try:
            return entry.succeed(value, attempt.files)
        except (DataError, IntegrityError) as error:
            logger.exception("entry %s: the result cannot be stored", entry.code)
            return entry.fail(Reason.ERROR, ERROR_SENTENCE, **_for_staff(error))
        except OperationalError:
            if time.monotonic() >= give_up:
                raise
            logger.warning("entry %s: the result is not stored yet", entry.code, exc_info=True)
            connection.close()
            time.sleep(1)


def _is_wanted(entry: Entry) -> bool:
    """The last look. A Redis that does not answer is asked again for REDIS_PATIENCE; then the task runs."""
    if not entry.needs_presence:
        return True
    give_up = time.monotonic() + conf.REDIS_PATIENCE
    while True:
        try:
            return presence.is_present(entry.job_id)
        except RedisError:
            if time.monotonic() >= give_up:
                logger.warning("entry %s runs unseen: Redis gave no answer", entry.code)
                return True
            time.sleep(1)


def _end_claim(queue: str, worker: str, job_id: str, *, started: str = "") -> None:
    """A claim that stays behind is offered to this worker again, and ends here again."""
    try:
        get_line(queue).end_claim(worker, job_id, started=started)
    except RedisError:
        logger.warning("the claim of job %s is still there", job_id, exc_info=True)


def _for_staff(error: BaseException) -> dict[str, Any]:
    kind = type(error)
    return {
        "error_class": f"{kind.__module__}.{kind.__qualname__}",
        "traceback": "".join(traceback.format_exception(error)),
    }
