"""The keeper drops entries past their deadline: places, rows and jobs."""

import time
from collections.abc import Iterator

from django.test import override_settings

from queueing.keeper.round import Keeper
from queueing.line import keys
from queueing.line.places import Line, get_line
from queueing.models import Entry
from queueing.states import Reason, Status
from tests.benchmarks import waiting
from tests.benchmarks.report import Row

OVERDUE = 50_000
RUNS = 5
NO_TIME = {"LOST_GRACE": 0.001, "CLOSE_GRACE": 0.001}
# All keys of one database into another; what that leaves for Lua's garbage collector must not delay the scripts.
COPY = """
local function copy()
  redis.call('SELECT', ARGV[1])
  for _, key in ipairs(redis.call('KEYS', '*')) do
    redis.call('COPY', key, key, 'DB', ARGV[2])
  end
end
copy()
collectgarbage()
"""


def rows() -> Iterator[Row]:
    line = get_line(waiting.QUEUE)
    entries = waiting.make(OVERDUE, presence=0.001)
    with override_settings(QUEUEING=NO_TIME):
        keeper = Keeper()
        while keeper.hold(line):  # each call has a budget
            pass
    seconds, _ = line.client.time()
    line.client.set(keys.WATCH, (seconds - 100_000) * 1000)
    line.client.eval(COPY, 0, 0, 1)
    ours = []
    for _ in range(RUNS):
        line.client.flushdb()
        line.client.eval(COPY, 0, 1, 0)
        Entry.objects.update(status=Status.WAITING, reason=Reason.NONE, finished_at=None)
        ours.append(OVERDUE / _drop(line, entries))
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


def _drop(line: Line, entries: list[Entry]) -> float:
    """Seconds in which the keeper drops them all."""
    assert line.client.exists(f"rq:job:{entries[-1].job_id}")
    keeper = Keeper()
    with override_settings(QUEUEING=NO_TIME):
        began = time.perf_counter()
        dropped = 0
        while moved := keeper.drop(line):  # each call has a budget
            dropped += moved
        took = time.perf_counter() - began
    assert dropped == OVERDUE
    assert not Entry.objects.waiting().exists()
    assert line.count_entries() == 0
    assert not line.client.exists(f"rq:job:{entries[-1].job_id}")
    return took
