"""manage.py rqscheduler: RQ's own scheduler for all lines. django-rq's command needs a package that is not here."""

from typing import Any

from django.core.management.base import CommandParser
from rq.scheduler import RQScheduler
from rq.serializers import JSONSerializer

from queueing.line.clients import connection
from queueing.line.signs import takes_writes
from queueing.management.plain import PlainCommand, lines_of_one_redis


class Command(PlainCommand):
    help = "Puts jobs of RQ into their line when their time has come, as `rqworker --with-scheduler` does."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("lines", nargs="*", help="of one Redis (default: all)")
        parser.add_argument("--interval", "-i", type=int, default=60, help="seconds between two looks (default: 60)")

    def handle(self, *args: Any, **options: Any) -> None:
        names = list(lines_of_one_redis(options["lines"]))
        takes_writes(connection(names[0]))
        scheduler = RQScheduler(names, connection(names[0]), options["interval"], serializer=JSONSerializer)
        scheduler.acquire_locks()
        self.stdout.write(f"A look every {options['interval']} s, until Ctrl-C.")
        scheduler.work()
