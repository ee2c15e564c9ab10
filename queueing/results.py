"""Converts an entry to a TaskResult of django.tasks."""

from typing import Any

from django.conf import settings
from django.tasks import Task, TaskResult, TaskResultStatus, task_backends
from django.tasks.base import TaskError
from django.utils.module_loading import import_string

from queueing.exceptions import QueueingError
from queueing.models import Entry
from queueing.states import Reason, Status

STATUS = {
    Status.WAITING: TaskResultStatus.READY,
    Status.RUNNING: TaskResultStatus.RUNNING,
    Status.SUCCEEDED: TaskResultStatus.SUCCESSFUL,
    Status.FAILED: TaskResultStatus.FAILED,
    Status.CANCELLED: TaskResultStatus.FAILED,
    Status.ABANDONED: TaskResultStatus.FAILED,
}


class VisitorCancelled(QueueingError):
    """The visitor left the line or stopped the task."""


class VisitorAbandoned(QueueingError):
    """The visitor was absent for longer than the place was kept."""


class TaskFailed(QueueingError):
    """The task could not be finished: its worker died, or time ran out."""


def task_of(entry: Entry) -> "Task[..., Any]":
    """The django.tasks Task of an entry. Raises ImportError if its function does not exist any more."""
    task = import_string(entry.task_path)
    backend = entry.backend if _has_queue(entry.backend, entry.queue) else None
    return task.using(queue_name=entry.queue, priority=entry.priority, backend=backend)  # type: ignore[no-any-return]


def _has_queue(alias: str, queue: str) -> bool:
    """False if the settings have changed since the entry was made: this backend is gone, or has other queues now."""
    if alias not in settings.TASKS:
        return False
    queues = task_backends[alias].queues
    return not queues or queue in queues


def result_of(entry: Entry) -> "TaskResult[..., Any]":
    """The entry's present state as a TaskResult; its id is the entry's code. Raises ImportError as `task_of` does."""
    task = task_of(entry)
    result: TaskResult[..., Any] = TaskResult(
        task=task,
        id=str(entry.code),
        status=STATUS[Status(entry.status)],
        enqueued_at=entry.joined_at,
        started_at=entry.started_at,
        last_attempted_at=entry.last_attempted_at,
        finished_at=entry.finished_at,
        args=[],
        kwargs={},
        backend=task.backend,
        errors=_errors(entry),
        worker_ids=list(entry.worker_ids),
    )
    # Django's constructor refuses dates and decimals. The return value is init=False; Django's backends set it so, too.
    for name, value in (("args", entry.args), ("kwargs", entry.kwargs), ("_return_value", entry.result)):
        object.__setattr__(result, name, value)
    return result


def _errors(entry: Entry) -> list[TaskError]:
    if STATUS[Status(entry.status)] != TaskResultStatus.FAILED:
        return []
    return [TaskError(exception_class_path=_error_class(entry), traceback=entry.traceback or _why(entry))]


def _error_class(entry: Entry) -> str:
    """The dotted path of the exception that ended the entry; of a class of this module if none was raised."""
    if entry.error_class:
        return entry.error_class
    kinds = {Status.CANCELLED: VisitorCancelled, Status.ABANDONED: VisitorAbandoned}
    kind = kinds.get(Status(entry.status), TaskFailed)
    return f"{kind.__module__}.{kind.__qualname__}"


def _why(entry: Entry) -> str:
    return f"{entry.status}: {Reason(entry.reason).label}"
