"""The steps of a start: what the time between the call of `joining.join` and the task's first line is spent on."""

import statistics
from bisect import bisect_left
from collections.abc import Iterator

from tests.benchmarks import processes, stamped_steps, starting, waiting
from tests.benchmarks.report import Row

JOINS = 60


def rows() -> Iterator[Row]:
    waiting.clear()
    stamped_steps.stamp_joins()
    with processes.running(("-m", "tests.benchmarks.stamped_steps", waiting.QUEUE)):
        processes.wait_for(lambda: starting.idle_workers() == 1)
        starting.latencies(starting.join, 20, workers=1)
        whole = starting.latencies(starting.join, JOINS, workers=1)
    begins = [first - milliseconds / 1000 for first, milliseconds in zip(processes.stamps("first"), whole, strict=True)]
    for kind, what in stamped_steps.STEPS.items():
        stamps = sorted(processes.stamps(kind))
        # The first one since the call: the next standby rehearses the same steps afterwards.
        since = [(stamps[bisect_left(stamps, began)] - began) * 1000 for began in begins]
        yield Row(f"a start: {what}", "ms", [statistics.median(since)], database="either")
    yield Row(
        "a start: the first line of the task", "ms", [statistics.median(whole)], database="either",
        meaning=f"Since the call of `joining.join`, the median of {JOINS} joins; each step leaves a stamp when it is "
        "done. docs/speed.md says what bounds them.",
    )  # fmt: skip
