"""manage.py rqworker: django-rq's command. Without a queue it serves every line, in the order of the settings."""

from typing import Any

from django.conf import settings
from django_rq.management.commands.rqworker import Command as RqWorker


class Command(RqWorker):
    def handle(self, *args: str, **options: Any) -> None:
        super().handle(*(args or settings.QUEUEING_TASKS), **options)
