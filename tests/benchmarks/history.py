"""The cost of a long history: a round of the keeper on a database in which very many entries have ended."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from queueing.conf import conf
from queueing.keeper.round import Keeper
from queueing.models import Counted, Entry
from queueing.states import Reason, Status
from tests.benchmarks import waiting
from tests.benchmarks.report import Row

ENDED = 1_000_000
STALE = 20_000
RUNS = 5
# Each status and reason of a site's history, for so many of ten entries.
KINDS = (
    [(Status.SUCCEEDED, Reason.NONE)] * 5
    + [(Status.ABANDONED, Reason.LOST), (Status.ABANDONED, Reason.CLOSED), (Status.ABANDONED, Reason.UNSEEN)]
    + [(Status.CANCELLED, Reason.LEFT), (Status.FAILED, Reason.ERROR)]
)  # fmt: skip


def rows() -> Iterator[Row]:
    waiting.clear()
    _end(ENDED)
    _analyze()
    keeper = Keeper()
    keeper.round()
    yield Row(
        "the slowest query of a round, 1,000,000 ended", "ms", [_slowest_query(keeper) for _ in range(RUNS)],
        "<=", 50, database="either", by="max",
        meaning="Of all queries of a round that collects the facts and looks for something to purge.",
    )  # fmt: skip
    _make_stale(STALE)
    yield Row(
        "a round with 20,000 entries to purge", "ms", [_purging_round(keeper) for _ in range(RUNS)],
        "<=", 2000, database="either", by="max",
        meaning="The rounds go on, and each of these purges a part.",
    )  # fmt: skip


def _end(count: int) -> None:
    """So many entries that have ended in the last half hour, a thousand at a time; none of them is stale."""
    for number in range(count // waiting.BATCH):
        ended = timezone.now() - timedelta(seconds=1800 * (1 - number * waiting.BATCH / count))
        status, reason = KINDS[number % len(KINDS)]
        first = Entry.objects.create(
            queue=waiting.QUEUE, task_path="bench", seen_at=ended, joined_at=ended, started_at=ended,
            last_attempted_at=ended, finished_at=ended, status=status, reason=reason, attempt=1, worker_ids=["bench"],
            result={}, counted=Counted.WORTH,
        )  # fmt: skip
        waiting.copy(first, waiting.BATCH)


def _analyze() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _make_stale(count: int) -> None:
    oldest = Entry.objects.order_by("pk").values_list("pk", flat=True)[count]
    long_ago = timezone.now() - timedelta(seconds=conf.RESULT_TTL + 60)
    Entry.objects.filter(pk__lt=oldest).update(finished_at=long_ago)


def _slowest_query(keeper: Keeper) -> float:
    times: list[float] = []

    def measure(execute: Callable[..., Any], sql: str, params: Sequence[Any], many: bool, context: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            times.append((time.perf_counter() - began) * 1000)

    _every_step_is_due(keeper)
    with connection.execute_wrapper(measure):
        keeper.round()
    return max(times)


def _purging_round(keeper: Keeper) -> float:
    _every_step_is_due(keeper)
    began = time.perf_counter()
    assert keeper.round()["purged"]
    return (time.perf_counter() - began) * 1000


def _every_step_is_due(keeper: Keeper) -> None:
    keeper._purged_at = keeper._facts_at = 0.0
    keeper.reconciler._compared_at.clear()
