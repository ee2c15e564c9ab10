"""The price of the memory of the lines: its bytes, and its part of the keeper's round."""

import math
import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from queueing.history import counting
from queueing.history.books import hour_of, write_rows
from queueing.keeper.remembering import Rememberer
from queueing.keeper.round import Keeper
from queueing.models import Entry, LineMemory, LineMinute
from queueing.states import Status
from queueing.tally import Tally, total
from tests.benchmarks import waiting
from tests.benchmarks.report import Row

LINES = 50
WEEK, MONTH = timedelta(days=7), timedelta(days=30)
MINUTES, HOURS = 7 * 24 * 60, 23 * 24
EVENTS = 20  # entries that join, start and end in a round: 20 a second
RUNS = 7
REASONS = ("left", "closed", "lost", "unusable", "error")
TIMES = ("goodput", "waste_left", "waste_stopped", "waste_never_seen", "waited", "ran")
# The rows of one line for all others, in the order of time, as a keeper writes them.
_TABLE, _LINES = LineMinute._meta.db_table, LineMemory._meta.db_table
_NAMES = [field.column for field in LineMinute._meta.concrete_fields if field.column]
_COLUMNS = ", ".join(name for name in _NAMES if name != "line_id")
_COPY = (
    f"INSERT INTO {_TABLE} (line_id, {_COLUMNS}) SELECT line.number, {_COLUMNS} FROM {_TABLE}, "  # noqa: S608  # names of our own
    f"(SELECT id AS number FROM {_LINES}) line WHERE line_id = %s AND line.number != line_id ORDER BY at"
)


def rows() -> Iterator[Row]:
    if connection.vendor == "postgresql":
        yield Row(
            "a month of 50 busy lines in the memory", "MB", [_megabytes()], "<=", 100, database="either",
            meaning="`pg_total_relation_size` of 7 days of minutes and 23 days of hours. In each minute of each line "
            "some 10 entries join, start and end, with waits and runs from seconds to an hour.",
        )  # fmt: skip
    waiting.clear()
    waiting.make(10_000)
    quiet, busy = _shares(0), _shares(EVENTS)
    yield Row(
        "the memory's part of a quiet round, 10,000 waiting", "%", quiet, "<=", 10, database="either",
        meaning="The time of counting, sampling and rolling up, of all of `Keeper.round`; ten rounds a run.",
    )  # fmt: skip
    yield Row(
        "the memory's part of a round, 20 entries a second", "%", busy, "<=", 10, database="either",
        meaning="The same while 20 entries join, 20 start and 20 end in each second, one round a second.",
    )  # fmt: skip


def _megabytes() -> float:
    chance = random.Random(1)  # noqa: S311  # numbers, no secrets
    LineMemory.objects.bulk_create(LineMemory(queue=f"line {number}") for number in range(LINES))
    first = LineMemory.objects.earliest("pk")
    now = hour_of(timezone.now())
    minutes = [(now - WEEK + timedelta(minutes=number), _busy_minute(chance)) for number in range(MINUTES)]
    hour = [total(tally for _, tally in minutes[number * 60 : number * 60 + 60]) for number in range(24)]
    _insert(first, minutes, 1)
    _insert(first, [(now - MONTH + timedelta(hours=number), hour[number % 24]) for number in range(HOURS)], 60)
    with connection.cursor() as cursor:
        cursor.execute(_COPY, [first.pk])
        cursor.execute("SELECT pg_total_relation_size(%s)", [LineMinute._meta.db_table])
        return float(cursor.fetchone()[0] / 1e6)


def _busy_minute(chance: random.Random) -> Tally:
    tally = Tally(
        joined=chance.randrange(5, 15), started=chance.randrange(5, 15), succeeded=8, failed=1, gone=3,
        samples=1, present=chance.randrange(300), held=chance.randrange(50), running=8, workers=8,
    )  # fmt: skip
    for _ in range(10):
        tally.waits.note(chance.lognormvariate(5, 1))
        tally.runs.note(chance.lognormvariate(4, 1))
    tally.details.update({"holds": chance.randrange(20), "returns": chance.randrange(20), "passed_over": 2})
    tally.details.update(dict.fromkeys(REASONS, 1))
    tally.details.update({name: chance.randrange(10**6, 10**9) for name in TIMES})
    return tally


def _insert(memory: LineMemory, tallies: list[tuple[datetime, Tally]], span: int) -> None:
    write_rows([LineMinute.of(memory, at, span, tally) for at, tally in tallies])


def _shares(events: int) -> list[float]:
    """The memory's percent of ten rounds at a time; a round of a second has the events of a second."""
    keeper = Keeper()
    keeper.round()
    counting.count(until=math.inf)  # the entries of before
    stopwatch = Stopwatch(keeper.rememberer)
    shares = []
    for _ in range(RUNS):
        spent = stopwatch.seconds = 0.0
        for number in range(10):
            _move(events)
            if number % 2:
                keeper._facts_at = 0.0  # each 2 s
            began = time.perf_counter()
            keeper.round()
            spent += time.perf_counter() - began
        shares.append(100 * stopwatch.seconds / spent)
    return shares


class Stopwatch:
    """The seconds that a keeper's rememberer has taken."""

    def __init__(self, rememberer: Rememberer) -> None:
        self.seconds = 0.0
        for step in ("count", "sample", "roll_up"):
            setattr(rememberer, step, self._timed(getattr(rememberer, step)))

    def _timed(self, step: Callable[[], int]) -> Callable[[], int]:
        def run() -> int:
            began = time.perf_counter()
            try:
                return step()
            finally:
                self.seconds += time.perf_counter() - began

        return run


def _move(count: int) -> None:
    """So many entries join, as many start, and as many that run end."""
    now = timezone.now()
    running = Entry.objects.running().values_list("pk", flat=True)[:count]
    ended = {"status": Status.SUCCEEDED, "finished_at": now, "run_time": timedelta(seconds=9), "end_seen_at": now}
    Entry.objects.filter(pk__in=list(running)).update(**ended)
    starting = Entry.objects.waiting().filter(queue="tables").values_list("pk", flat=True)[:count]
    start = {"status": Status.RUNNING, "started_at": now, "last_attempted_at": now, "attempt": 1}
    Entry.objects.filter(pk__in=list(starting)).update(**start, lease_until=now + timedelta(hours=1))
    Entry.objects.bulk_create(Entry(queue="tables", task_path="bench", joined_at=now) for _ in range(count))
