"""manage.py rqworker-pool: django-rq's command with other defaults.

By default it serves every line, in the order of QUEUEING_TASKS, and uses JSON instead of pickle. The tasks are warmed
up before the workers are forked, so that all of them share the memory.
"""

from importlib import import_module
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import connections

from queueing.management.plain import LinesCommand, ProcessCommand, lines_of_one_redis
from queueing.work import warming

stock = import_module("django_rq.management.commands.rqworker-pool")


class Command(ProcessCommand, LinesCommand, stock.Command):  # type: ignore[name-defined]  # a module whose name has a hyphen
    help = "Runs several workers. They serve the lines that are named, in turn; without a name they serve all of them."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(serializer="rq.serializers.JSONSerializer")

    def handle(self, *queues: str, **options: Any) -> None:
        if options["num_workers"] < 1:
            raise CommandError("--num-workers is at least 1: without a worker nobody is served.")
        queues = tuple(lines_of_one_redis(queues))  # before the tasks are warmed up, which takes long
        connections.close_all()  # the checks at the start have asked the database: never open across a fork
        warming.warm_up(queues)
        super().handle(*queues, **options)
