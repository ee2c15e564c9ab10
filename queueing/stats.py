"""The numbers of the lines for staff: the board, the page of the lines, /metrics and `queue_stats` take them from here.

All lines together take as many queries as one line, and one round trip to Redis for each line beside one for the
workers. A line whose own Redis is away is left out; if that of all lines is away, each function raises RedisError.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from itertools import chain
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, Q

from queueing import eta, goodput, site_time
from queueing.facts import LineNow, line_now
from queueing.goodput import Waste
from queueing.history import reading
from queueing.line.servers import Server, ask_each
from queueing.line.workers import all_workers
from queueing.models import Entry
from queueing.states import Reason
from queueing.tally import Tally


@dataclass(frozen=True, slots=True)
class LineLive(LineNow):
    """The numbers of a line at this moment. `running` and `workers` are counted now, and not by the keeper."""

    # Live workers; one counts for each of its lines.
    busy: int  # those that have a task
    idle: int  # those that have none
    quiet: int  # those that take no more, by a command or because they end; neither busy nor idle, nor in `workers`
    oldest_wait: float | None  # seconds since the join of the oldest waiting entry; unseen entries do not count

    @property
    def wait_in_words(self) -> str:
        """The expected wait of a new visitor, or the reason for which none is told."""
        if not self.has_epoch:
            return "places are coming back"
        return "none told in a pause" if self.is_paused else eta.sentence(self.wait) or "unknown"


@dataclass(frozen=True, slots=True)
class LineStats(LineLive):
    """The numbers of a line for staff, with sums over the ended rows that are kept: those of the last RESULT_TTL."""

    # Worker-seconds of runs whose entries ended lately.
    goodput: float  # their end was seen by the owner
    not_seen_yet: float  # the owner may still come for the result
    waste: float  # everything else
    waste_by_cause: dict[str, float]  # by the values of `goodput.Waste`; never seen is decided when a row is deleted
    skipped: int  # entries that ended lately before any work was done for them; unseen entries do not count

    def as_json(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)

    @property
    def causes_of_waste(self) -> list[tuple[str, float]]:
        """In words, the causes for which there was waste lately, each with its worker-seconds."""
        return [(Waste(cause).label, seconds) for cause, seconds in self.waste_by_cause.items() if seconds]


def all_lines() -> list[LineStats]:
    """The numbers of every line that can be reached, in the order of the settings."""
    return _with_sums(live_lines())


def line_stats(queue: str) -> LineStats:
    """The numbers of one line."""
    return _with_sums(live_lines([queue]))[0]


def live_lines(queues: Collection[str] | None = None) -> list[LineLive]:
    """The lines at this moment that can be reached, of these, or of all in the order of the settings."""
    lines = list(chain.from_iterable(ask_each(_lines_of, settings.QUEUEING_TASKS if queues is None else queues)))
    if queues is None:
        lines.sort(key=lambda line: list(settings.QUEUEING_TASKS).index(line.queue))
    names = [line.queue for line in lines]
    running, oldest, (busy, idle, quiet) = _running(names), _oldest(names), _workers(names)
    now = site_time.now()
    return [
        LineLive(
            **_fields(line) | {"running": running[line.queue], "workers": busy[line.queue] + idle[line.queue]},
            busy=busy[line.queue],
            idle=idle[line.queue],
            quiet=quiet[line.queue],
            oldest_wait=(now - since).total_seconds() if (since := oldest.get(line.queue)) else None,
        )
        for line in lines
    ]


def _lines_of(server: Server) -> list[LineNow]:
    return [line_now(queue) for queue in server.lines]


def totals() -> dict[str, Tally]:
    """All that ever happened in each line, as the keeper has counted it. It only grows."""
    known = reading.totals()
    return {queue: known.get(queue, Tally()) for queue in settings.QUEUEING_TASKS}


def _with_sums(lines: list[LineLive]) -> list[LineStats]:
    sums = _lately([line.queue for line in lines])
    return [LineStats(**_fields(line), **sums[line.queue]) for line in lines]


def _fields(line: LineNow) -> dict[str, Any]:
    return {field.name: getattr(line, field.name) for field in fields(line)}


def _running(queues: Collection[str]) -> Counter[str]:
    rows = Entry.objects.running().filter(queue__in=queues).order_by()
    return Counter(dict(rows.values_list("queue").annotate(Count("pk"))))


def _oldest(queues: Collection[str]) -> dict[str, datetime]:
    seen = Entry.objects.waiting().due().filter(Q(needs_presence=False) | Q(seen_at__isnull=False), queue__in=queues)
    return dict(seen.order_by().values_list("queue").annotate(Min("joined_at")))


def _workers(queues: Collection[str]) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """The live workers of each line: those that are busy, idle, and quiet."""
    busy, idle, quiet = Counter[str](), Counter[str](), Counter[str]()
    for worker in all_workers(queues):
        (quiet if not worker.takes_work else busy if worker.is_busy else idle).update(worker.lines)
    return busy, idle, quiet


def _lately(queues: Collection[str]) -> dict[str, dict[str, Any]]:
    """Sums over the ended rows, by line: until its row is deleted, a run that nobody has seen is in no counter."""
    ended = Entry.objects.final().filter(queue__in=queues, finished_at__isnull=False).order_by()
    skipped = Count("id", filter=Q(attempt=0) & ~Q(reason=Reason.UNSEEN))
    rows = ended.values("queue").annotate(skipped=skipped, **goodput.sums())
    nothing: dict[str, Any] = {"skipped": 0, **dict.fromkeys(goodput.sums())}
    found = dict.fromkeys(queues, nothing) | {row["queue"]: dict(row) for row in rows}
    return {queue: _in_seconds(sums) for queue, sums in found.items()}


def _in_seconds(sums: dict[str, Any]) -> dict[str, Any]:
    spans = {name: span for name, span in sums.items() if name not in {"queue", "skipped"}}
    return {"skipped": sums["skipped"]} | goodput.seconds(spans)
