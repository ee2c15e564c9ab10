"""manage.py rqresume: the end of rqsuspend. django-rq's own needs a queue named "default"."""

from typing import Any

from django.core.management.base import CommandError

from queueing.line import workers
from queueing.management.plain import PlainCommand


class Command(PlainCommand):
    help = "Ends rqsuspend. Lines that staff have paused one by one stay paused."

    def handle(self, *args: Any, **options: Any) -> None:
        if away := workers.resume():
            raise CommandError(f"The Redis of {', '.join(away)} does not answer; the workers of all other lines go on.")
        self.stdout.write("The workers go on.")
