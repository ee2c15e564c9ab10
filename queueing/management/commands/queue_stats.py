"""manage.py queue_stats: prints the present numbers of each line, as a sentence or as JSON."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from queueing import eta, stats
from queueing.stats import LineStats


class Command(BaseCommand):
    help = "Shows each line: present, held, running, oldest wait, expected wait, and lately goodput and waste by cause."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="for machines")

    def handle(self, *args: Any, **options: Any) -> None:
        lines = stats.all_lines()
        if options["json"]:
            self.stdout.write(json.dumps([line.as_json() for line in lines], indent=2))
            return
        for line in lines:
            self.stdout.write(self._sentence(line))

    def _sentence(self, line: LineStats) -> str:
        oldest = f"{line.oldest_wait:.0f} s" if line.oldest_wait is not None else "none"
        return (
            f"{line.queue}: {line.present} present, {line.held} held, {line.running} running, "
            f"{line.workers} workers; oldest wait {oldest}, expected wait {eta.sentence(line.wait) or 'unknown'}; "
            f"lately: {_worker_seconds(line)}, {line.skipped} left before their start."
        )


def _worker_seconds(line: LineStats) -> str:
    unseen = f" (and {line.not_seen_yet:.0f} s not seen yet)" if line.not_seen_yet else ""
    causes = ", ".join(f"{cause} {seconds:.0f} s" for cause, seconds in line.causes_of_waste)
    return f"goodput {line.goodput:.0f} s{unseen}, waste {line.waste:.0f} s{f' ({causes})' if causes else ''}"
