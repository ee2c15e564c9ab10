"""The django.tasks backend: enqueue means to join a line.

`@task` loads this module while the tasks are being imported, so it imports services inside its methods only.
"""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.tasks import Task, TaskResult
from django.tasks.backends.base import BaseTaskBackend
from django.tasks.exceptions import TaskResultDoesNotExist


class PresenceBackend(BaseTaskBackend):
    """Stores each task as an entry, and lets the line decide when it runs.

    OPTIONS: `needs_presence` (default True). An entry enqueued by code has no page: it lives on its first presence
    of PRESENCE_TTL, unless its backend is configured with `needs_presence: False`.
    """

    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        if unknown := self.options.keys() - {"needs_presence"}:
            raise ImproperlyConfigured(f"Unknown OPTIONS of TASKS[{alias!r}]: {', '.join(sorted(unknown))}.")

    def enqueue(self, task: "Task[..., Any]", args: Any, kwargs: Any) -> Any:
        from queueing import results, services

        self.validate_task(task)
        needs_presence = bool(self.options.get("needs_presence", True))
        entry = services.enqueue(task, list(args), dict(kwargs), needs_presence=needs_presence)
        return results.result_of(entry)

    def get_result(self, result_id: str) -> "TaskResult[..., Any]":
        from queueing import results

        entry = results.find(result_id)
        if entry is None:
            raise TaskResultDoesNotExist(result_id)
        return results.result_of(entry)
