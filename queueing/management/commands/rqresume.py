"""manage.py rqresume: the end of rqsuspend. django-rq's own needs a queue named "default"."""

from typing import Any

from queueing.line import workers
from queueing.management.plain import PlainCommand


class Command(PlainCommand):
    help = "Ends rqsuspend. Lines that staff have paused one by one stay paused."

    def handle(self, *args: Any, **options: Any) -> None:
        workers.resume()
        self.stdout.write("The workers go on.")
