"""manage.py rqworker-pool: django-rq's command with other defaults.

By default it serves every line, in the order of QUEUEING_TASKS, and uses JSON instead of pickle.
"""

from importlib import import_module

from django.core.management.base import CommandParser

from queueing.management.plain import LinesCommand

stock = import_module("django_rq.management.commands.rqworker-pool")


class Command(LinesCommand, stock.Command):  # type: ignore[name-defined]  # a module whose name has a hyphen
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(serializer="rq.serializers.JSONSerializer")
