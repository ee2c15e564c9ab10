"""manage.py rqsuspend: all workers take nothing new. django-rq's own needs a queue named "default"."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from queueing.line import workers
from queueing.management.plain import PlainCommand


class Command(PlainCommand):
    help = "Pauses all lines: workers finish what they have, and take nothing new. To pause one line: manage.py line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--duration", "-d", type=int, help="seconds, then the lines go on by themselves")

    def handle(self, *args: Any, **options: Any) -> None:
        seconds: int | None = options["duration"]
        if seconds is not None and seconds < 1:
            raise CommandError("--duration is at least 1 second.")
        away = workers.suspend(seconds)
        if away:
            raise CommandError(f"The Redis of {', '.join(away)} does not answer; all other lines are paused.")
        until = f"for {seconds} s" if seconds else "until manage.py rqresume"
        self.stdout.write(f"All lines are paused {until}; work in hand is finished.")
