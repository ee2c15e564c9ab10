"""manage.py rqworker: django-rq's command. By default it serves every line, in the order of QUEUEING_TASKS."""

from typing import Any

from django.core.management.base import CommandError
from django_rq.management.commands.rqworker import Command as RqWorker

from queueing.management.plain import LinesCommand, ProcessCommand


class Command(ProcessCommand, LinesCommand, RqWorker):
    help = "Runs one worker. It serves the lines that are named, in turn; without a name it serves all of them."

    def handle(self, *args: str, **options: Any) -> None:
        try:
            super().handle(*args, **options)
        except ValueError as error:
            if "active worker" not in str(error):  # RQ has no class for a name that is taken
                raise
            raise CommandError(f"{str(error).rstrip('.')}. Leave --name out, or choose another one.") from error
