"""manage.py queue_stats: prints the present numbers of each line, as a sentence or as JSON; once or every 2 s."""

import json
import signal
import sys
import threading
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import close_old_connections

from queueing import stats
from queueing.line.clients import RedisError
from queueing.line.signs import is_keeper_alive
from queueing.management.plain import PlainCommand, one_sentence
from queueing.states import LineState
from queueing.stats import LineStats

WATCH_INTERVAL = 2.0  # seconds
KEEPER_IS_SILENT = "The keeper gives no sign of life: expected waits become unknown, and nobody is dropped."
AWAY = "{line}: its Redis does not answer, so nothing is known; no place is lost."
CLEAR = "\x1b[2J\x1b[H"  # of a terminal


class Command(PlainCommand):
    help = "Shows each line: present, held, running, oldest wait, expected wait, and lately goodput and waste by cause."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="for machines; with --watch, one line each time")
        parser.add_argument("--watch", action="store_true", help="again every 2 s, until Ctrl-C")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["watch"]:
            self.stdout.write(_text(as_json=options["json"], indent=2))
            self._warn()
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        while not stop.is_set():
            try:
                self._show(as_json=options["json"])
            except BrokenPipeError:  # the reader has gone
                sys.stderr.close()  # Python would complain about the rest of its output
                return
            stop.wait(WATCH_INTERVAL)

    def _show(self, *, as_json: bool) -> None:
        """The present numbers; or the sentence that Redis or the database is away, until it is back."""
        try:
            close_old_connections()
            with one_sentence():
                text = _text(as_json=as_json, indent=None)
        except CommandError as error:
            self.stderr.write(str(error))
            return
        self.stdout.write(CLEAR + text if self.stdout.isatty() else text)
        self.stdout.flush()
        self._warn()

    def _warn(self) -> None:
        """Beside the numbers, so that a program can read those: the keeper is silent."""
        with suppress(RedisError):
            if not is_keeper_alive():
                self.stderr.write(KEEPER_IS_SILENT)


def _text(*, as_json: bool, indent: int | None) -> str:
    lines = {line.queue: line for line in stats.all_lines()}
    found = [(queue, lines.get(queue)) for queue in settings.QUEUEING_TASKS]
    if as_json:
        told = [line.as_json() if line else {"queue": name, "away": True} for name, line in found]
        return json.dumps(told, indent=indent)
    return "\n".join(_sentence(line) if line else AWAY.format(line=name) for name, line in found)


def _sentence(line: LineStats) -> str:
    oldest = f"{line.oldest_wait:.0f} s" if line.oldest_wait is not None else "none"
    state = "" if line.state == LineState.OPEN else f" ({line.state})"
    quiet = f" (and {line.quiet} quiet)" if line.quiet else ""
    said = f' All who wait read: "{line.levers.sentence}"' if line.levers.sentence else ""
    return (
        f"{line.queue}{state}: {line.present} present, {line.held} held, {line.running} running, "
        f"{line.workers} workers{quiet}; oldest wait {oldest}, expected wait {line.wait_in_words}; "
        f"lately: {_worker_seconds(line)}, {line.skipped} left before their start.{said}"
    )


def _worker_seconds(line: LineStats) -> str:
    unseen = f" (and {line.not_seen_yet:.0f} s not seen yet)" if line.not_seen_yet else ""
    causes = ", ".join(f"{cause} {seconds:.0f} s" for cause, seconds in line.causes_of_waste)
    return f"goodput {line.goodput:.0f} s{unseen}, waste {line.waste:.0f} s{f' ({causes})' if causes else ''}"
