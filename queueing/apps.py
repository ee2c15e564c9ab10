"""The application's entry in INSTALLED_APPS."""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_migrate
from django.tasks import TaskResult
from django.tasks.backends import immediate

from queueing.defaults import fill_in
from queueing.line.clients import spell_out

fill_in()  # before other apps and modules read them
spell_out(settings.RQ_QUEUES)


class QueueingConfig(AppConfig):
    name = "queueing"
    verbose_name = "Client queue"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from queueing import checks  # noqa: F401  # registers the checks
        from queueing.checking.pool import checkers
        from queueing.models.line import make_rows
        from queueing.registry import sound_tasks
        from queueing.roles import make_groups

        # Django's ImmediateBackend makes the context of a task itself: one without progress and files. No setting names
        # its class, so the module gets another one.
        immediate.TaskContext = _context_without_entry  # type: ignore[attr-defined]  # it is imported there
        # An error in a heavy task, or a wrong setting, is told by the checks, which each process makes at its start:
        # an exception here would be a traceback, also before `check` and `migrate`.
        for task in sound_tasks().values():
            if task.form.has_check() or task.form.preview_template:
                checkers.know(task.form)
        post_migrate.connect(make_rows, sender=self, dispatch_uid="lines")
        post_migrate.connect(make_groups, sender=self, dispatch_uid="queueing.groups")


def _context_without_entry(*, task_result: "TaskResult[..., Any]") -> Any:
    from queueing.work import detached

    return detached.context_of(task_result)
