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

from queueing import events, presence, services
from queueing.attempt import Attempt, EntryContext
from queueing.conf import conf
from queueing.exceptions import UnusableInput, VisitorLeft
from queueing.keys import RedisError
from queueing.line import TaskTimeout, current_job_id, get_line
from queueing.models import Entry
from queueing.results import result_of, task_of
from queueing.states import Reason, Status
from queueing.tasks import load

logger = logging.getLogger("queueing")

# A start that took longer than this many seconds is worth another look at presence.
SLOW_START = 1.0

ERROR_SENTENCE = "Something went wrong while working on this. The people who run this site can see the details."
TIMEOUT_SENTENCE = "This took longer than the task may run, and was stopped."


def warm_up() -> None:
    """For nobody, and once: the way of `run_entry` to the task and back, as far as it can be gone without an entry.

    The worker does this before its first fork. What it leaves behind (modules, compiled queries, caches) is inherited
    by every horse, which would otherwise make it anew, each time: a third of its way to the first line of the task.
    """
    for heavy_task in load().values():
        nobody = Entry(pk=0, queue=heavy_task.name, task_path=heavy_task.task.module_path)
        Entry.objects.of_job(nobody.job_id)
        presence.is_present(nobody.job_id)
        Entry.objects.start_unread(nobody.job_id, "")
        result_of(nobody)
        nobody.succeed({})
        events.publish(nobody.code)


def run() -> None:
    """The job of every entry. All it needs is its id; the rest is read from the row."""
    run_entry(current_job_id())


def run_entry(job_id: str) -> None:
    worker = os.environ.get("RQ_WORKER_ID", "")
    looked = time.monotonic()
    entry = _start_at_once(job_id, worker)
    if entry is None:
        entry = Entry.objects.of_job(job_id)
        if entry is None:
            return  # deleted while it waited; the worker clears the claim
        if entry.status != Status.WAITING:
            _forget_claim(entry.queue, worker, job_id)
            return
        looked = time.monotonic()
        if not _is_wanted(entry):
            services.release(entry, worker)
            return
        if not entry.start(worker):
            _forget_claim(entry.queue, worker, job_id)
            return
    if time.monotonic() - looked > SLOW_START and not _is_wanted(entry):
        entry.give_back()
        services.release(entry, worker)
        return
    _forget_claim(entry.queue, worker, job_id, started=f"attempt {entry.attempt}, {worker}")
    execute(entry)


def _start_at_once(job_id: str, worker: str) -> Entry | None:
    """The usual case, a first attempt for somebody who is there, in one query. None: the long way tells why not."""
    try:
        is_there = presence.is_present(job_id)
    except RedisError:
        return None
    return Entry.objects.start_unread(job_id, worker) if is_there else None


def execute(entry: Entry) -> None:
    """Run the task of a started entry, and end the row in one fenced step."""
    heavy_task, number = load().get(entry.queue), entry.attempt
    attempt = Attempt(entry, stops_on_leave=entry.needs_presence and (heavy_task is None or heavy_task.stops_on_leave))
    events.publish(entry.code)
    try:
        value = _call(entry, attempt)
    except VisitorLeft:
        # Without a cause the row moved away from under us: cancelled, or taken over by a later attempt.
        moved = attempt.left_because is not None and entry.abandon(Reason(attempt.left_because))
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
        services.ended(entry)


def _call(entry: Entry, attempt: Attempt) -> Any:
    """The task's return value, as JSON keeps it. Raises what the task raises, or ImportError when it is gone."""
    task = task_of(entry)
    result = result_of(entry)
    task_started.send_robust(type(task.get_backend()), task_result=result)
    context = [EntryContext(task_result=result, running=attempt)] if task.takes_context else []
    value = normalize_json(task.call(*context, *entry.args, **entry.kwargs))
    json.dumps(value, allow_nan=False)  # NaN is no JSON: better an error of the task than one of the database
    return value


def _store(entry: Entry, value: Any, attempt: Attempt) -> bool:
    """The result into the row. A database that is away is asked again for as long as the lease may last."""
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
    """The last look. Redis that does not answer is asked again for REDIS_PATIENCE; then the task runs."""
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


def _forget_claim(queue: str, worker: str, job_id: str, *, started: str = "") -> None:
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
