"""The steps of a start: what the time between the call of `joining.join` and the task's first line is spent on.

And the same functions in a loop, in a process that does nothing else: a start finds three processes that have slept.
"""

import statistics
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import count

from queueing.line import presence
from queueing.line.places import get_line
from queueing.models import Entry
from tests.benchmarks import processes, stamped_steps, starting, waiting
from tests.benchmarks.report import Row

JOINS = 60
IN_LOOP = 300


def rows() -> Iterator[Row]:
    waiting.clear()
    yield from _in_loop()
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


def _in_loop() -> Iterator[Row]:
    """The longest steps by themselves, again and again."""
    joined: list[Entry] = []
    yield _row("a join and its first look", lambda _: joined.append(starting.join()), range(IN_LOOP))
    line, workers = get_line(waiting.QUEUE), count()
    yield _row("a claim", lambda _: line.claim_job(f"worker {next(workers)}"), range(IN_LOOP))
    yield _row("a look at presence", lambda entry: presence.is_present(waiting.QUEUE, entry.job_id), joined)
    yield _row("the start of a row", lambda entry: Entry.objects.start_first_attempt(entry.job_id, "worker"), joined)


def _row[Each](what: str, step: Callable[[Each], object], each: Iterable[Each]) -> Row:
    taken = []
    for one in each:
        began = time.perf_counter()
        step(one)
        taken.append((time.perf_counter() - began) * 1000)
    return Row(f"in a loop: {what}", "ms", [statistics.median(taken)], database="either")
