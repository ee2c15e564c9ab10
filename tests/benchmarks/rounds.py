"""The cost of a long line to those who have nothing to do with its length: a claim at its head, a quiet round."""

import math
import time
from collections.abc import Iterator

from queueing.history import counting
from queueing.keeper.reconcile import Reconciler
from queueing.keeper.round import Keeper
from queueing.line.places import get_line
from tests.benchmarks import processes, waiting
from tests.benchmarks.report import Row
from tests.support.standing import stand

RUNS = 7
CLAIMS = 200
BYTES = 20_000  # entries whose memory is measured


def rows() -> Iterator[Row]:
    yield Row(
        "Valkey's memory for a waiting entry", "bytes", [_memory() for _ in range(5)], "<=", 1000,
        meaning=f"used_memory before and after {BYTES:,} joins: place, presence and job.",
    )  # fmt: skip
    waiting.clear()
    waiting.make(10_000)
    yield _round(10_000, 50)
    waiting.make(90_000)
    yield _round(100_000, 500)
    yield Row(
        "a claim with the head present and 100,000 waiting", "us", [_claims() for _ in range(RUNS)], "<=", 50,
        meaning="The time of the claim script in Valkey, by its own `INFO commandstats`.",
    )  # fmt: skip
    yield Row(
        "comparing 100,000 rows with their places", "ms", [_reconcile() for _ in range(5)], "<=", 5000,
        database="either",
        meaning="An extra step of the keeper, each minute, and whenever the numbers of rows and places differ. "
        "Nothing differs here.",
    )  # fmt: skip


def _round(count: int, bound: float) -> Row:
    keeper = Keeper()
    counting.count(until=math.inf)  # the joins
    keeper.round()  # the first one compares rows with places, and purges; each later one only when it is time to
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        counts = keeper.round()
        times.append((time.perf_counter() - began) * 1000)
        assert not counts.total(), counts
    return Row(
        f"the keeper's round, {count:,} waiting, nothing to do", "ms", times, "<=", bound, database="either",
        meaning="`Keeper.round` over all lines, all of them present.",
    )  # fmt: skip


def _reconcile() -> float:
    line = get_line(waiting.QUEUE)
    began = time.perf_counter()
    assert Reconciler().compare(line) == (0, 0)
    return (time.perf_counter() - began) * 1000


def _claims() -> float:
    """Microseconds of a claim; each entry goes back to its place."""
    line = get_line(waiting.QUEUE)
    line.claim("warm")
    line.release("warm", line.claims()["warm"].job_id)
    spent = 0.0
    for _ in range(CLAIMS):
        line.client.config_resetstat()
        job_id, _ = line.claim("bench")
        spent += line.client.info("commandstats")["cmdstat_evalsha"]["usec"]
        assert job_id is not None
        line.release("bench", job_id)
    return spent / CLAIMS


def _memory() -> float:
    waiting.clear()
    line = get_line(waiting.QUEUE)
    client = line.client
    processes.wait_for(lambda: client.info("memory")["lazyfree_pending_objects"] == 0)  # what was there before
    stand(line, "first", 0, presence=3600)  # what comes only once
    before = client.info("memory")["used_memory"]
    with client.pipeline(transaction=False) as pipe:
        for number in range(BYTES):
            stand(line, f"{number:032x}", number, presence=3600, pipeline=pipe)
            if number % 1000 == 999:
                pipe.execute()
    return float((client.info("memory")["used_memory"] - before) / BYTES)
