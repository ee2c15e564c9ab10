"""manage.py rqenqueue: django-rq's command. It refuses a function that no worker of the site would run."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils.module_loading import import_string
from django_rq.management.commands.rqenqueue import Command as RqEnqueue

from queueing import steering
from queueing.management.plain import PlainCommand


class Command(PlainCommand, RqEnqueue):
    help = "Puts a job of RQ at the end of a line: a function by its dotted path, and its arguments."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(queue=next(iter(settings.QUEUEING_TASKS)))

    def handle(self, *args: str, **options: Any) -> None:
        steering.check_name(options["queue"])
        if not args:
            raise CommandError("Name a function by its dotted path.")
        allowed = import_string(settings.RQ["WORKER_CLASS"]).allowed_functions
        if args[0] not in allowed:
            raise CommandError(f"No worker would run {args[0]!r}: it is not one of its allowed_functions.")
        super().handle(*args, **options)
