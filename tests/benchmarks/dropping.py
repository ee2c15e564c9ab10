"""The keeper drops entries past their deadline: places, rows and jobs."""

import time
from collections.abc import Iterator

from django.test import override_settings

from queueing import keys
from queueing.keeper import Keeper
from queueing.line import get_line
from queueing.models import Entry
from queueing.states import Reason, Status
from tests.benchmarks import waiting
from tests.benchmarks.report import Row

OVERDUE = 50_000
RUNS = 5


def rows() -> Iterator[Row]:
    waiting.clear()
    entries = waiting.make(OVERDUE)
    ours = [OVERDUE / _drop(entries) for _ in range(RUNS)]
    waiting.clear()
    yield Row(
        "entries past their deadline dropped",
        "/s",
        ours,
        ">=",
        20_000,
        database="either",
        meaning=f"`Keeper.drop` with {OVERDUE:,} held entries whose deadline has passed, until every row is abandoned "
        "and every place, presence key and job is gone. The input stays.",
    )


def _drop(entries: list[Entry]) -> float:
    line, keeper = get_line(waiting.QUEUE), Keeper()
    line.connection.flushall()
    Entry.objects.update(status=Status.WAITING, reason=Reason.NONE, finished_at=None)
    waiting.put(entries, presence=0.001)
    with override_settings(QUEUEING={"LOST_GRACE": 0.001, "CLOSE_GRACE": 0.001}):
        assert keeper.hold(line) == OVERDUE
    time.sleep(0.01)
    seconds, _ = line.connection.time()
    line.connection.set(keys.WATCH, (seconds - 100_000) * 1000)
    began = time.perf_counter()
    dropped = keeper.drop(line)
    took = time.perf_counter() - began
    assert dropped == OVERDUE
    assert not Entry.objects.waiting().exists()
    assert line.places() == 0
    assert not line.connection.exists(f"rq:job:{entries[0].job_id}")
    return took
