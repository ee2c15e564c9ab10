"""manage.py rqworker: django-rq's command. By default it serves every line, in the order of QUEUEING_TASKS."""

from typing import Any

from django.conf import settings
from django_rq.management.commands.rqworker import Command as RqWorker


class Command(RqWorker):
    def handle(self, *args: str, **options: Any) -> None:
        super().handle(*(args or settings.QUEUEING_TASKS), **options)
