"""manage.py rqsuspend: all workers take nothing new. django-rq's own needs a queue named "default"."""

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser

from queueing.line import workers
from queueing.management.plain import PlainCommand, duration


def seconds_or_duration(text: str) -> timedelta:
    """Seconds, as RQ's own command takes them, or a duration with its unit."""
    return duration(f"{text}s" if text.isdecimal() else text)


class Command(PlainCommand):
    help = "Pauses all lines: workers finish what they have, and take nothing new. To pause one line: manage.py line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--duration",
            "-d",
            type=seconds_or_duration,
            help="then the lines go on by themselves: 600 (seconds), 90s, 30m, 1h, 7d",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        pause: timedelta | None = options["duration"]
        seconds = None if pause is None else round(pause.total_seconds())
        if seconds is not None and seconds < 1:
            raise CommandError("--duration is at least 1 second.")
        away = workers.suspend(seconds)
        if away:
            raise CommandError(f"The Redis of {', '.join(away)} does not answer; all other lines are paused.")
        until = f"for {seconds} s" if seconds else "until manage.py rqresume"
        self.stdout.write(f"All lines are paused {until}; work in hand is finished.")
