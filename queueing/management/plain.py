"""Commands that end with one sentence and exit code 1, where Django would print a traceback."""

import argparse
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from queueing import logs, steering
from queueing.checks.start import troubles
from queueing.deployment import database_setting
from queueing.exceptions import QueueingError
from queueing.line import clients
from queueing.line.clients import RedisError, connection
from queueing.line.servers import servers
from queueing.models.trouble import DATABASE_ERRORS, is_out_of_reach

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


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
    """A command of django-rq that takes names of lines; without any it is about all of them, in their order.

    Its worker has one connection, so these lines must be on one Redis.
    """

    def handle(self, *args: str, **options: Any) -> None:
        names = lines_of_one_redis(args)
        connection(names[0]).ping()  # RQ's pool would start workers that end, again and again
        super().handle(*names, **options)


def lines_of_one_redis(names: Sequence[str]) -> Sequence[str]:
    """These lines, or all. Raises UnknownLine; CommandError if they are on several servers."""
    for name in names:
        steering.check_name(name)
    names = names or list(settings.QUEUEING_TASKS)
    if len(found := servers(names)) > 1:
        groups = "; ".join(", ".join(server.lines) for server in found)
        raise CommandError(f"One process serves lines of one Redis. Start one for each of these groups: {groups}.")
    return names


def duration(text: str) -> timedelta:
    """The duration of an option: "90s", "30m", "1h" or "7d". Raises ArgumentTypeError, which argparse shows."""
    match = re.fullmatch(r"(\d{1,5})([smhd])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; write 90s, 30m, 1h or 7d")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turns the errors that a user can do something about into a CommandError."""
    try:
        yield
    except RedisError as error:
        raise CommandError(of_redis(error)) from error
    except DATABASE_ERRORS as error:
        raise CommandError(of_database(error)) from error
    except QueueingError as error:
        raise CommandError(str(error)) from error


def of_redis(error: RedisError) -> str:
    """The sentence about an error of Redis; with its address, if nothing is there."""
    are_own = any(map(clients.own_address, settings.QUEUEING_TASKS))
    where = "REDIS_URL, or the line's own address in RQ_QUEUES" if are_own else "REDIS_URL"
    cure = f" Start it, or correct {where}." if clients.is_out_of_reach(error) else ""
    if isinstance(error, clients.AuthenticationError):
        cure = f" Correct the user and the password in {where}."
    return f"Redis does not answer, or takes no writes ({_line(error)}).{cure}"


def of_database(error: Exception) -> str:
    """The sentence about an error of the database; with its address, if nothing is there."""
    cure = f" Start it, or correct {database_setting()}." if is_out_of_reach(error) else ""
    return f"The database does not answer, or refuses this ({_line(error)}).{cure}"


def _line(error: Exception) -> str:
    """The first line of its text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
