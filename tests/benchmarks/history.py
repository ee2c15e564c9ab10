"""The cost of a long history, when very many entries have ended: a round of the keeper, and the pages of staff."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from queueing.conf import conf
from queueing.keeper.round import Keeper
from queueing.models import Entry
from tests.benchmarks import desk, ended, waiting
from tests.benchmarks.report import Row

STALE = 20_000
RUNS = 5


def rows() -> Iterator[Row]:
    waiting.clear()
    ended.make()
    keeper = Keeper()
    keeper.round()
    yield Row(
        "the slowest query of a round, 1,000,000 ended", "ms", [_slowest_query(keeper) for _ in range(RUNS)],
        "<=", 50, database="either", by="max",
        meaning="Of all queries of a round that collects the facts and looks for something to purge.",
    )  # fmt: skip
    is_large = connection.vendor == "postgresql"  # staff of a site with so many entries have this one
    if is_large:
        yield from desk.lists()
    _make_stale(STALE)
    yield Row(
        "a round with 20,000 entries to purge", "ms", [_purging_round(keeper) for _ in range(RUNS)],
        "<=", 2000, database="either", by="max",
        meaning="The rounds go on, and each of these purges a part.",
    )  # fmt: skip
    if is_large:
        yield from desk.board()


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
