"""manage.py rqcron: django-rq's command, which ends with one sentence when it cannot begin."""

import logging
from typing import Any

from django.core.management.base import CommandError
from django_rq.management.commands.rqcron import Command as RqCron

from queueing.line.clients import connection
from queueing.line.signs import takes_writes
from queueing.management.plain import PlainCommand


class Command(PlainCommand, RqCron):
    def handle(self, *args: Any, **options: Any) -> None:
        takes_writes(connection())
        logging.getLogger("rq.cron").addFilter(_is_no_import)
        try:
            super().handle(*args, **options)
        except (ImportError, FileNotFoundError) as error:
            raise CommandError(str(error).splitlines()[0]) from error


def _is_no_import(record: logging.LogRecord) -> bool:
    """False for RQ's line about a file that cannot be imported: the command says so itself."""
    return not record.getMessage().startswith("Failed to import")
