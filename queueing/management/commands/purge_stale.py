"""manage.py purge_stale: deletes old ended entries with their files, and keys and files without a row."""

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser

from queueing.conf import conf
from queueing.keeper import purge
from queueing.management.plain import PlainCommand, duration


class Command(PlainCommand):
    help = "Deletes finished entries with their files, and keys and files without a row."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than", type=duration, help="finished longer ago than this: 90s, 30m, 1h, 7d (default: RESULT_TTL)"
        )
        parser.add_argument("--dry-run", action="store_true", help="count only")

    def handle(self, *args: Any, **options: Any) -> None:
        given: timedelta | None = options["older_than"]
        older_than = timedelta(seconds=conf.RESULT_TTL) if given is None else given
        counts = purge.purge_stale(older_than, dry_run=options["dry_run"])
        recovered = counts.pop(purge.RECOVERED)
        recover, remove = ("Would recover", "would remove") if options["dry_run"] else ("Recovered", "removed")
        removed = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        self.stdout.write(f"{recover} {recovered} entries of dead workers; {remove} {removed}.")
