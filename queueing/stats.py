"""What staff and the expected wait are told about the lines."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Now
from django.utils import timezone
from rq import worker_registration
from rq.utils import utcparse

from queueing import eta
from queueing.conf import conf
from queueing.keys import connection, facts_key
from queueing.line import get_line
from queueing.models import Entry
from queueing.states import Status

RECENT_RUNS = 50  # runs the expected wait is made of
RECENT_ENDS = 100  # ended entries the rate of leaving is taken from
FACTS_TTL = 30  # seconds
ALIVE = 45  # seconds since a worker's last sign; an idle one gives one each 15 s


@dataclass(frozen=True, slots=True)
class Facts:
    """What changes slowly in a line; the keeper writes it, the pages read it."""

    workers: int | None = None  # unknown: the keeper has written nothing lately
    running: int = 0
    busy: int = 0  # workers of this line that have a task, of whichever line
    run_seconds: tuple[float, ...] = ()  # a worker was busy with each of the recent runs
    leave_rate: float = 0.0  # per second and waiting visitor

    def wait(self, ahead: int) -> tuple[float, float] | None:
        """Seconds until the start for somebody with so many present entries ahead."""
        return eta.estimate(
            ahead=ahead,
            busy=self.busy,
            workers=self.workers or 0,
            run_seconds=self.run_seconds,
            leave_rate=self.leave_rate,
        )


def publish_facts(queue: str) -> Facts:
    facts = collect_facts(queue)
    connection().set(facts_key(queue), json.dumps(asdict(facts)), ex=FACTS_TTL)
    return facts


@lru_cache(maxsize=16)  # web processes read them each second, and compare what they read before with what they read
def parse_facts(raw: bytes | None) -> Facts:
    """All unknown when the keeper has written nothing lately; a keeper of another version may know others."""
    written = json.loads(raw or b"{}")
    values = {field.name: written[field.name] for field in fields(Facts) if field.name in written}
    return Facts(**values | {"run_seconds": tuple(values.get("run_seconds", ()))})


def collect_facts(queue: str) -> Facts:
    entries = Entry.objects.filter(queue=queue)
    succeeded = entries.filter(status=Status.SUCCEEDED, last_attempted_at__isnull=False).order_by("-finished_at")
    runs = succeeded.values_list("worker_ids", "joined_at", "last_attempted_at", "finished_at")[:RECENT_RUNS]
    ends = entries.final().order_by("-finished_at").values_list("joined_at", "started_at")[:RECENT_ENDS]
    waits = [(start - joined).total_seconds() for joined, start in ends if start]
    workers = live_workers(queue)
    return Facts(
        workers=len(workers),
        running=entries.running().count(),
        busy=workers.count("busy"),
        run_seconds=busy_seconds(map(Run._make, runs)),
        leave_rate=eta.leave_rate(waits, left=len(ends) - len(waits)),
    )


class Run(NamedTuple):
    """A run of a task, for the expected wait."""

    workers: list[str]  # the last one is that of this run
    joined: datetime
    started: datetime
    finished: datetime


def busy_seconds(runs: Iterable[Run]) -> tuple[float, ...]:
    """How long each of these runs kept a worker from the next visitor: the run, and the usual turnaround after it.

    The turnaround (the books, a claim, a fork) shows between two runs of a worker when the second visitor had come
    before the first run ended; the median, because that one may have been absent for a while.
    """
    in_order = sorted(runs, key=lambda run: (run.workers[-1:], run.started))
    gaps = [
        (following.started - run.finished).total_seconds()
        for run, following in pairwise(in_order)
        if run.workers[-1:] == following.workers[-1:] and following.joined < run.finished
    ]
    turnaround = max(0.0, median(gaps)) if gaps else 0.0
    return tuple((run.finished - run.started).total_seconds() + turnaround for run in in_order)


def live_workers(queue: str) -> list[str]:
    """The states of a queue's workers that gave a sign lately. RQ's keys outlive their workers by minutes."""
    client = connection()
    keys = sorted(worker_registration.get_keys(queue=get_line(queue), connection=client))
    with client.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.hmget(key, "last_heartbeat", "death", "state")
        rows = pipe.execute()
    now = datetime.now(UTC)
    return [
        (state or b"").decode()
        for beat, death, state in rows
        if beat and not death and (now - utcparse(beat.decode())).total_seconds() < ALIVE
    ]


@dataclass(frozen=True, slots=True)
class LineNow:
    """What anybody may know of a line at this moment; one round trip to Redis."""

    queue: str
    present: int  # in the line, and present when last seen
    held: int
    running: int
    workers: int | None  # unknown when the keeper is silent
    wait: tuple[float, float] | None  # seconds a new visitor would wait, low and high


def line_now(queue: str) -> LineNow:
    line, client = get_line(queue), connection()
    with client.pipeline(transaction=False) as pipe:
        pipe.zcard(line.keys.line)
        pipe.zcard(line.keys.held)
        pipe.get(facts_key(queue))
        present, held, raw = pipe.execute()
    facts = parse_facts(raw)
    return LineNow(queue, present, held, facts.running, facts.workers, facts.wait(present))


@dataclass(frozen=True, slots=True)
class LineStats(LineNow):
    """What staff may know of a line."""

    oldest_wait: float | None  # seconds the longest-waiting entry has been in the line
    goodput: float  # worker-seconds lately for visitors who were there at the end
    waste: float  # worker-seconds lately for visitors who were not
    skipped: int  # entries that left lately before any work was done for them

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def line_stats(queue: str) -> LineStats:
    now = line_now(queue)
    entries = Entry.objects.filter(queue=queue)
    oldest = entries.waiting().order_by("id").values_list("joined_at", flat=True).first()
    return LineStats(
        **asdict(now) | {"running": entries.running().count(), "workers": len(live_workers(queue))},
        oldest_wait=(timezone.now() - oldest).total_seconds() if oldest else None,
        **_lately(queue),
    )


def _lately(queue: str) -> dict[str, Any]:
    """Over the last RESULT_TTL: ended rows are not kept for longer."""
    since = Now() - timedelta(seconds=conf.RESULT_TTL)
    ended = Entry.objects.final().filter(queue=queue, finished_at__gt=since)
    seconds, left = F("finished_at") - F("last_attempted_at"), Q(status__in=(Status.CANCELLED, Status.ABANDONED))
    worked = Sum(seconds, filter=Q(attempt__gt=0) & ~left)
    wasted = Sum(seconds, filter=Q(attempt__gt=0) & left)
    sums = ended.aggregate(worked=worked, wasted=wasted, skipped=Count("id", filter=Q(attempt=0)))
    return {
        "goodput": _seconds(sums["worked"]),
        "waste": _seconds(sums["wasted"]),
        "skipped": sums["skipped"],
    }


def all_lines() -> list[LineStats]:
    return [line_stats(queue) for queue in settings.QUEUEING_TASKS]


def _seconds(span: timedelta | None) -> float:
    return span.total_seconds() if span else 0.0
