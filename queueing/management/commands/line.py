"""manage.py line: staff steer a line, as in the admin."""

import time
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime, parse_time

from queueing import steering
from queueing.management.plain import PlainCommand
from queueing.models import Entry, Line
from queueing.states import Status
from queueing.steering import Verb

VERBS = {
    "pause": (steering.pause, "Paused", "nothing is started; work in hand is finished, and places are kept"),
    "resume": (steering.resume, "Resumed", "entries are started again"),
    "close": (steering.close, "Closed", "nobody joins; those who wait are served"),
    "open": (steering.open_, "Opened", "visitors join again"),
    "drain": (steering.drain, "Closed, to be drained", "as close, and says when the line is empty"),
    "message": (steering.tell, "Message", "all who wait read the sentence; without one it goes"),
}
LOOK_INTERVAL = 1.0  # seconds between two looks at a line that is being drained


class Command(PlainCommand):
    help = "Steers a line: " + "; ".join(f"{verb}: {words}" for verb, (_, _, words) in VERBS.items()) + "."

    def create_parser(self, *args: Any, **options: Any) -> CommandParser:
        """The parser. The words of the sentence may stand behind options."""
        parser = super().create_parser(*args, **options)
        parser.parse_args = parser.parse_intermixed_args  # type: ignore[method-assign]
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("verb", choices=VERBS)
        parser.add_argument("name", help="of the line")
        parser.add_argument("sentence", nargs="*", default=[], help="for all who wait, and on the form")
        parser.add_argument(
            "--opens-at", type=moment, help="of close and drain: 09:00, or 2030-01-31T09:00, in TIME_ZONE"
        )
        parser.add_argument("--wait", action="store_true", help="of drain: wait until the line is empty")
        parser.add_argument("--user", help="whose name stands in the log; needs the permission to change lines")

    def handle(self, *args: Any, **options: Any) -> None:
        verb, name, sentence = options["verb"], options["name"], " ".join(options["sentence"]) or None
        if options["opens_at"] and verb not in {"close", "drain"}:
            raise CommandError("--opens-at is of close and drain.")
        if options["wait"] and verb != "drain":
            raise CommandError("--wait is of drain.")
        steering.check_name(name)
        user = _staff(options["user"]) if options["user"] else None
        line = steering.steer(name, _verb(verb, sentence, options["opens_at"]), _words(verb, sentence), user)
        self.stdout.write(_sentence(line))
        if options["wait"]:
            try:
                self._wait(name)
            except KeyboardInterrupt:
                raise CommandError(f"{name} is not empty yet; it stays closed.") from None

    def _wait(self, name: str) -> None:
        while Entry.objects.live().filter(queue=name).exists():
            line = Line.of(name)
            if not line.levers.is_closed:
                raise CommandError(f"{name} was opened again before it was empty.")
            time.sleep(LOOK_INTERVAL)
        steering.note_empty(Line.of(name))
        self.stdout.write(f"{name} is empty.")


def moment(text: str) -> datetime:
    """A time of the site's clock: "09:00", the next one; or "2030-01-31T09:00". Raises ValueError."""
    now = timezone.localtime()
    if (clock := parse_time(text)) is not None:
        at = now.replace(hour=clock.hour, minute=clock.minute, second=clock.second, microsecond=0)
        return at if at > now else at + timedelta(days=1)
    if (at_day := parse_datetime(text)) is None:
        raise ValueError(text)
    return at_day if timezone.is_aware(at_day) else timezone.make_aware(at_day)


def _verb(name: str, sentence: str | None, opens_at: datetime | None) -> Verb:
    times = {"opens_at": opens_at} if name in {"close", "drain"} else {}
    return partial(VERBS[name][0], sentence=sentence, **times)


def _words(name: str, sentence: str | None) -> str:
    return f"{VERBS[name][1]}: {sentence}" if sentence else f"{VERBS[name][1]}."


def _staff(name: str) -> Any:
    """The member of staff of that name, who may change lines."""
    model = get_user_model()
    user = model.objects.filter(**{model.USERNAME_FIELD: name}, is_active=True, is_staff=True).first()
    if user is None or not user.has_perm("queueing.change_line"):
        raise CommandError(f"{name!r} is no member of staff with the permission to change lines.")
    return user


def _sentence(line: Line) -> str:
    live = list(Entry.objects.live().filter(queue=line.queue).values_list("status", flat=True))
    waiting, running = live.count(Status.WAITING), live.count(Status.RUNNING)
    opens = f", until {timezone.localtime(line.opens_at):%Y-%m-%d %H:%M %Z}" if line.opens_at else ""
    said = f' All who wait read: "{line.sentence}"' if line.sentence else ""
    return f"{line.queue} is {line.state}{opens}: {waiting} wait, {running} run.{said}"
