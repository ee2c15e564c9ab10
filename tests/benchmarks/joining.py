"""Joining a line: the whole of `joining.join`, beside a row insert and stock RQ's enqueue."""

import time
import uuid
from collections.abc import Callable, Iterator
from itertools import count

from django.core.files.base import ContentFile
from django.test import override_settings

from queueing import joining, registry
from queueing.models import Entry
from tests.benchmarks import stock, waiting
from tests.benchmarks.report import Row

RUNS = 5
JOINS = 200
CONTENT = b"a,b\n1,2\n"


def rows() -> Iterator[Row]:
    with override_settings(QUEUEING={"MAX_LINE": 1_000_000}):
        yield from _rows()


def _rows() -> Iterator[Row]:
    by_length: dict[int, list[float]] = {}
    for length, more in ((0, 0), (1_000, 1_000), (100_000, 99_000)):
        if length == 0:
            waiting.clear()
        waiting.make(more)
        ours, enqueued, rival = [], [], []
        for _ in range(RUNS):  # in turn, so that a slow moment of the machine is everybody's
            ours.append(_micros(_join))
            enqueued.append(_micros(_enqueue))
            rival.append(_micros(_insert_and_enqueue))
        by_length[length] = ours
        yield Row(
            f"`joining.join`, {length:,} waiting", "us", ours, "<=", 1.3, "ratio", rival, database="either",
            meaning="The look at the line, the file, the row, the commit, the job and the unseen place. The rival "
            "inserts one row and calls stock RQ's `enqueue` on a kept queue; it stores no file.",
        )  # fmt: skip
        yield Row(
            f"`joining.enqueue`, {length:,} waiting", "us", enqueued, "<=", 1.5, "ratio", rival, database="either",
            meaning="The same without a visitor: the row, the commit, the job and the unseen place.",
        )  # fmt: skip
    yield Row(
        "`joining.join` with 100,000 waiting beside 0", "us", by_length[100_000], "<=", 1.2, "ratio", by_length[0],
        database="either", meaning="The rival is our own join with nobody in line.",
    )  # fmt: skip


def _micros(one: Callable[[], object]) -> float:
    """Microseconds of one call, the mean of JOINS."""
    one()
    began = time.perf_counter()
    for _ in range(JOINS):
        one()
    return (time.perf_counter() - began) / JOINS * 1e6


def _join() -> Entry:
    return joining.join(
        registry.get_task(waiting.QUEUE),
        code=uuid.uuid4(),
        owner=joining.Owner(uuid.uuid4()),
        upload=ContentFile(CONTENT, name="a.csv"),
        content_type="text/csv",
        options={},
    )


def _enqueue() -> Entry:
    return joining.enqueue(stock.first_and_last, [], {}, needs_presence=True)


_numbers = count()


def _insert_and_enqueue() -> None:
    entry = Entry.objects.create(queue="stock", task_path="stock", visitor=uuid.uuid4(), slot=0)
    stock.kept_queue().enqueue(stock.update_and_stamp, entry.pk, job_id=f"stock{next(_numbers)}")
