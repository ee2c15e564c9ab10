"""manage.py rqworker-pool: django-rq's command with other defaults.

By default it serves every line, in the order of QUEUEING_TASKS, and uses JSON instead of pickle.
"""

from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

stock = import_module("django_rq.management.commands.rqworker-pool")


class Command(stock.Command):  # type: ignore[name-defined]  # a module whose name has a hyphen
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(serializer="rq.serializers.JSONSerializer")

    def handle(self, *queues: str, **options: Any) -> None:
        super().handle(*(queues or settings.QUEUEING_TASKS), **options)
