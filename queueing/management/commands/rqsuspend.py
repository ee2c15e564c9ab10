"""manage.py rqsuspend: all workers take nothing new. django-rq's own needs a queue named "default"."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from queueing.line import workers
from queueing.management.plain import PlainCommand, duration


def seconds(text: str) -> int:
    """Seconds, as RQ's own command takes them, or a duration with its unit."""
    return int(text) if text.isdecimal() else round(duration(text).total_seconds())


class Command(PlainCommand):
    help = "Pauses all lines: workers finish what they have, and take nothing new. To pause one line: manage.py line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--duration",
            "-d",
            type=seconds,
            help="then the lines go on by themselves: 600 (seconds), 90s, 30m, 1h, 7d",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        pause: int | None = options["duration"]
        if pause is not None and pause < 1:
            raise CommandError("--duration is at least 1 second.")
        away = workers.suspend(pause)
        if away:
            raise CommandError(f"The Redis of {', '.join(away)} does not answer; all other lines are paused.")
        until = f"for {pause} s" if pause else "until manage.py rqresume"
        self.stdout.write(f"All lines are paused {until}; work in hand is finished.")
