"""The pages of staff: the list of entries with a very long history, and the board of many long lines."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.test import override_settings
from django.utils import timezone

from queueing.line.places import get_line
from queueing.models import Entry
from queueing.registry import all_tasks
from tests.benchmarks import waiting
from tests.benchmarks.report import Row
from tests.support.epochs import begin_epochs
from tests.support.standing import stand
from tests.support.visitors import Visitor, staff

LINES, WAITING = 50, 10_000
RUNS = 5
LIST = "/admin/queueing/entry/"
# What an index answers, whether or not there are such rows.
FILTERS = (
    *("", "?status__exact=failed", "?status__exact=running", "?status__exact=waiting", "?reason__exact=timeout"),
    *("?reason__exact=lost&queue=bench", "?attempt=more", "?age=10m", "?age=older", "?presence=held"),
)


def lists() -> Iterator[Row]:
    """Of entries that have ended, as `ended` makes them."""
    looker, code = _looker(), Entry.objects.order_by("pk")[0].code
    times = {query: [_milliseconds(looker, f"{LIST}{query}") for _ in range(RUNS)] for query in FILTERS}
    slowest = max(times, key=lambda query: sorted(times[query])[RUNS // 2])
    yield Row(
        "the list of entries by its slowest filter, 1,000,000 ended", "ms", times[slowest], "<=", 500,
        database="either", meaning=f"The whole page. Of {len(FILTERS)} filters this one: {slowest or 'none'}.",
    )  # fmt: skip
    for name, term in (("a whole code", str(code)), ("a part of a file's name that none has", "nothing like this")):
        yield Row(
            f"the list of entries by {name}, 1,000,000 ended", "ms",
            [_milliseconds(looker, f"{LIST}?q={term}") for _ in range(RUNS)], "<=", 500, database="either",
            meaning="A look that no index answers ends after 0.3 s, and the page offers to look further.",
        )  # fmt: skip
    yield Row(
        "failures by error, 100,000 of 1,000,000", "ms",
        [_milliseconds(looker, f"{LIST}failures/") for _ in range(RUNS)], "<=", 500, database="either",
    )  # fmt: skip


def board() -> Iterator[Row]:
    """Of lines beside such a history."""
    with _many_lines():
        yield from _board(_looker())


def _looker() -> Visitor:
    looker = staff("view")
    looker.client.defaults["SERVER_NAME"] = "localhost"
    return looker


def _board(looker: Visitor) -> Iterator[Row]:
    yield Row(
        "the admin's start page, 10,000 waiting in 50 lines", "ms",
        [_milliseconds(looker, "/admin/") for _ in range(RUNS)], "<=", 300, database="either",
    )  # fmt: skip
    yield Row(
        "computing of a refresh of its board", "ms", [_computing(looker) for _ in range(RUNS)], "<=", 20,
        database="either", meaning="Of the web process alone.",
    )  # fmt: skip


@contextmanager
def _many_lines() -> Iterator[None]:
    """LINES lines, in which WAITING visitors wait."""
    names = [f"line{number}" for number in range(LINES)]
    with override_settings(QUEUEING_TASKS=dict.fromkeys(names, "tests.benchmarks.stock")):
        all_tasks.cache_clear()
        begin_epochs(get_line(names[0]).client)
        now = timezone.now()
        made = [Entry(queue=names[number % LINES], task_path="bench", seen_at=now) for number in range(WAITING)]
        Entry.objects.bulk_create(made, batch_size=waiting.BATCH)
        for entry in made:
            stand(get_line(entry.queue), entry.job_id, entry.score, presence=600)
        yield
    all_tasks.cache_clear()


def _milliseconds(looker: Visitor, path: str) -> float:
    began = time.perf_counter()
    assert looker.client.get(path).status_code == 200
    return (time.perf_counter() - began) * 1000


def _computing(looker: Visitor) -> float:
    began = time.process_time()
    assert looker.client.get("/admin/queueing/line/board.json").status_code == 200
    return (time.process_time() - began) * 1000
