"""The facts of a line: slow-changing numbers, from which the expected wait is estimated.

The keeper collects the facts from the database each 2 s and writes them to Redis; pages only read them from Redis.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from queueing import eta
from queueing.line.clients import connection
from queueing.line.keys import facts_key
from queueing.line.places import get_line
from queueing.line.workers import live_workers
from queueing.models import Entry
from queueing.states import Reason, Status

RECENT_RUNS = 50  # runs from which the expected wait is estimated
RECENT_ENDS = 100  # ended entries from which the rate of leaving is taken
FACTS_TTL = 30  # seconds


@dataclass(frozen=True, slots=True)
class Facts:
    """The slow-changing numbers of a line. The defaults mean that nothing is known."""

    workers: int | None = None  # None: the keeper has written nothing lately
    running: int = 0
    busy: int = 0  # workers of this line that have a task, of whichever line
    run_seconds: tuple[float, ...] = ()  # the time for which each recent run kept a worker busy
    leave_rate: float = 0.0  # departures per second and waiting visitor

    def wait(self, ahead: int) -> tuple[float, float] | None:
        """Seconds until the start, low and high, for an entry with so many present entries ahead."""
        return eta.estimate(
            ahead=ahead,
            busy=self.busy,
            workers=self.workers or 0,
            run_seconds=self.run_seconds,
            leave_rate=self.leave_rate,
        )


@dataclass(frozen=True, slots=True)
class LineNow:
    """The public numbers of a line at this moment."""

    queue: str
    present: int  # in the line, and present when last seen
    held: int
    running: int
    workers: int | None  # None: the keeper is silent
    wait: tuple[float, float] | None  # seconds a new visitor would wait, low and high


def line_now(queue: str) -> LineNow:
    """The line at this moment; one round trip to Redis. Raises RedisError."""
    line = get_line(queue)
    with line.client.pipeline(transaction=False) as pipe:
        pipe.zcard(line.keys.line)
        pipe.zcard(line.keys.held)
        pipe.get(facts_key(queue))
        present, held, written = pipe.execute()
    facts = parse_facts(written)
    return LineNow(queue, present, held, facts.running, facts.workers, facts.wait(present))


@lru_cache(maxsize=16)  # a web process reads the facts each second, and they change each 2 s
def parse_facts(written: bytes | None) -> Facts:
    """The facts as the keeper wrote them. Facts that only a keeper of another version knows are left out."""
    values = json.loads(written or b"{}")
    known = {field.name: values[field.name] for field in fields(Facts) if field.name in values}
    return Facts(**known | {"run_seconds": tuple(known.get("run_seconds", ()))})


def publish_facts(queue: str) -> Facts:
    """Collect the facts of a line and write them for its pages."""
    facts = collect_facts(queue)
    connection().set(facts_key(queue), json.dumps(asdict(facts)), ex=FACTS_TTL)
    return facts


def collect_facts(queue: str) -> Facts:
    """The facts of a line, from the database and from the workers' heartbeats."""
    entries = Entry.objects.filter(queue=queue)
    succeeded = entries.filter(status=Status.SUCCEEDED, last_attempted_at__isnull=False).order_by("-finished_at")
    runs = succeeded.values_list("worker_ids", "joined_at", "last_attempted_at", "finished_at")[:RECENT_RUNS]
    # Unseen entries are left out: a form sent without opening the page says nothing about the patience of visitors.
    came = entries.final().exclude(reason=Reason.UNSEEN)
    ends = came.order_by("-finished_at").values_list("joined_at", "started_at")[:RECENT_ENDS]
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

    workers: list[str]  # the last worker is that of this run
    joined: datetime
    started: datetime
    finished: datetime


def busy_seconds(runs: Iterable[Run]) -> tuple[float, ...]:
    """The seconds that each run kept a worker busy: the run, and the usual turnaround after it.

    The turnaround (RQ's books, a claim, a fork) shows between two runs of a worker when the second visitor had joined
    before the first run ended. The median counts, because the second visitor may have been absent for a while.
    """
    in_order = sorted(runs, key=lambda run: (run.workers[-1:], run.started))
    gaps = [
        (following.started - run.finished).total_seconds()
        for run, following in pairwise(in_order)
        if run.workers[-1:] == following.workers[-1:] and following.joined < run.finished
    ]
    turnaround = max(0.0, median(gaps)) if gaps else 0.0
    return tuple((run.finished - run.started).total_seconds() + turnaround for run in in_order)
