"""Passing absent entries: from the moment a worker asks until it holds the one present entry behind them."""

import time
import uuid
from collections.abc import Iterator

from queueing.line import get_line
from tests.benchmarks.report import Row

ABSENT = 50_000
RUNS = 5


def rows() -> Iterator[Row]:
    ours = [ABSENT / _pass() for _ in range(RUNS)]
    yield Row("absent entries passed", "/s", ours, ">=", 200_000, meaning="x")


def _pass() -> float:
    line = get_line("probe")
    line.connection.flushall()
    ids = [uuid.uuid4().hex for _ in range(ABSENT)]
    for start in range(0, ABSENT, 5000):
        line.connection.zadd(line.keys.line, {ids[n]: n for n in range(start, start + 5000)})
    line.place("present", ABSENT + 1, presence=60)
    began = time.perf_counter()
    job_id, passed = line.claim("bench")
    seconds = time.perf_counter() - began
    assert (job_id, passed) == ("present", ABSENT)
    return seconds
