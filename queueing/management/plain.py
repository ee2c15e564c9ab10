"""Commands that end with one sentence and exit code 1, where Django would print a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from queueing import logs, steering
from queueing.checks.start import troubles
from queueing.exceptions import QueueingError
from queueing.line.clients import RedisError, connection
from queueing.models.trouble import DATABASE_ERRORS


class PlainCommand(BaseCommand):
    """A command whose user reads why it cannot be done: Redis or the database is away, or there is no such line."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Raises CommandError, which Django prints as one sentence."""
        with one_sentence(), logs.acting("command line"):
            return super().execute(*args, **options)


class ProcessCommand(PlainCommand):
    """A process of the site: it ends at its start when something is missing or does not fit."""

    requires_system_checks = ()  # `troubles` makes them all, and says each in one sentence

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Raises CommandError."""
        if not options.get("skip_checks") and (found := troubles()):
            raise CommandError("\n".join(found))
        return super().execute(*args, **options)


class LinesCommand(PlainCommand):
    """A command of django-rq that takes names of lines; without any it is about all of them, in their order."""

    def handle(self, *args: str, **options: Any) -> None:
        for name in args:
            steering.check_name(name)
        connection().ping()  # RQ's pool would start workers that end, again and again
        super().handle(*(args or settings.QUEUEING_TASKS), **options)


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turns the errors that a user can do something about into a CommandError."""
    try:
        yield
    except RedisError as error:
        raise CommandError(f"Redis does not answer, or takes no writes ({_line(error)}).") from error
    except DATABASE_ERRORS as error:
        raise CommandError(f"The database does not answer, or refuses this ({_line(error)}).") from error
    except QueueingError as error:
        raise CommandError(str(error)) from error


def _line(error: Exception) -> str:
    """The first line of its text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
