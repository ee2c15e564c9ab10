"""The django.tasks backend: `enqueue` makes an entry that waits in a line.

The methods import models, joining and results themselves: `@task` loads this module while the tasks are being imported,
possibly before Django has loaded the models.
"""

import inspect
import sys
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.tasks import Task, TaskResult
from django.tasks.backends.base import BaseTaskBackend
from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist
from django.utils.module_loading import import_string

from queueing.values import check_call


class PresenceBackend(BaseTaskBackend):
    """Stores each task as an entry; the line decides when it runs.

    OPTIONS: `needs_presence` (default False: nobody has to be there). With True the entry is unseen until code says
    `joining.look(entry, seconds)`, and from then on an entry like those of visitors.
    """

    supports_defer = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        if unknown := self.options.keys() - {"needs_presence"}:
            raise ImproperlyConfigured(
                f"Unknown OPTIONS of TASKS[{alias!r}]: {', '.join(sorted(unknown))}. The only one is needs_presence."
            )
        if isinstance(named := params.get("QUEUES", ()), str):  # its letters would be taken for queues
            raise ImproperlyConfigured(f'TASKS["{alias}"]["QUEUES"] is a text. Write a list: ["{named}"]')

    def validate_task(self, task: "Task[..., Any]") -> None:
        """Raises InvalidTask, in words of this project where Django's name neither the task nor the lines."""
        if inspect.iscoroutinefunction(task.func):
            raise InvalidTask(
                f"{_path(task)} is an `async def`, which a worker does not run. Write `def`, and asyncio.run(…) in it."
            )
        if self.queues and task.queue_name not in self.queues:
            from queueing.registry import setting_of_lines

            if task.queue_name in settings.QUEUEING_TASKS:
                lines = sorted({*self.queues, task.queue_name, *_lines_without_backend()})
                raise InvalidTask(
                    f"{_path(task)} names the queue {task.queue_name!r}, which TASKS[{self.alias!r}] lacks. Paste: "
                    f'TASKS["{self.alias}"]["QUEUES"] = {lines}'
                )
            known = ", ".join(map(repr, sorted(self.queues)))
            raise InvalidTask(
                f"{_path(task)} names the queue {task.queue_name!r}, and there is no such line. The lines of "
                f"TASKS[{self.alias!r}] are {known}: name one in @task(queue_name=…), or add a line to "
                f"{setting_of_lines()}."
            )
        if task.run_after is not None and not isinstance(task.run_after, datetime):
            raise InvalidTask(
                f"run_after={task.run_after!r} is no moment. Write run_after=timezone.now() + timedelta(seconds=60), "
                "with timezone of django.utils."
            )
        if not isinstance(task.priority, int):
            raise InvalidTask(
                f"priority={task.priority!r} is no whole number. Write priority=10: -100 to 100, higher goes first."
            )
        super().validate_task(task)

    def enqueue(self, task: "Task[..., Any]", args: Any, kwargs: Any) -> Any:
        from queueing import joining, results

        self.validate_task(task)
        _check_module(task)
        _check_name(task)
        check_call(task, args, kwargs)
        needs_presence = bool(self.options.get("needs_presence", False))
        entry = joining.enqueue(task, list(args), dict(kwargs), needs_presence=needs_presence)
        return results.result_of(entry)

    def get_result(self, result_id: str) -> "TaskResult[..., Any]":
        from queueing import results
        from queueing.models import Entry

        entry = Entry.objects.of_job(str(result_id))
        if entry is None:
            raise TaskResultDoesNotExist(result_id)
        return results.result_of(entry)


def _path(task: "Task[..., Any]") -> str:
    return f"{task.func.__module__}.{task.func.__qualname__}"


def _lines_without_backend() -> set[str]:
    """The lines that no backend of the settings has, so that one line to paste mends the tasks of all of them."""
    named = {name for backend in settings.TASKS.values() for name in backend.get("QUEUES", ())}
    return set(settings.QUEUEING_TASKS) - named


def _check_module(task: "Task[..., Any]") -> None:
    """Raises InvalidTask while the module of the task is being imported.

    A call of `enqueue` at the top of that module would be repeated by each worker that imports it to run the entry:
    each entry would make a further one, without end.
    """
    spec = getattr(sys.modules.get(task.func.__module__), "__spec__", None)
    if getattr(spec, "_initializing", False):
        raise InvalidTask(
            f"{_path(task)} is enqueued while its own module is being imported: each worker that imports the module "
            "would enqueue one more. Call enqueue in a function, or in another module."
        )


def _check_name(task: "Task[..., Any]") -> None:
    """A worker imports the task by its name. Raises InvalidTask if that would not find this very function."""
    name = task.module_path
    try:
        found = None if name.startswith("__main__.") else import_string(name)
    except ImportError:
        found = None
    if not isinstance(found, Task) or found.func is not task.func:
        raise InvalidTask(
            f"A worker cannot import this task as {name}. Put the function, with its @task, at the top of a module "
            "that web and worker processes can import; one that was typed into a shell cannot be found again."
        )
