"""A start beside Sidekiq's, from which the idea of this project came: a thread takes a job, and nothing is forked.

Debian's package `ruby-sidekiq` brings it; without it this says so and measures nothing.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.benchmarks import processes, starting, waiting
from tests.benchmarks.report import Row

RUNS = 5
JOINS = 60  # in each run
PAUSE = 0.02  # seconds in which both workers come to rest
PROGRAM = Path(__file__).with_name("stamps.rb")
PIPE, NOTHING = subprocess.PIPE, subprocess.DEVNULL


def rows() -> Iterator[Row]:
    if not (sidekiq := shutil.which("sidekiq")):
        sys.stdout.write("Sidekiq is not here (apt install ruby-sidekiq): its rows are left out.\n")
        return
    waiting.clear()
    with processes.running(("manage.py", "rqworker", waiting.QUEUE, "-v", "0")), _running(sidekiq) as rival:
        _latencies(rival.join, 20)
        _latencies(_join, 20)
        ours, theirs = [], []
        for _ in range(RUNS):
            ours.append(_latencies(_join, JOINS))
            theirs.append(_latencies(rival.join, JOINS))
        row = Row(
            "join to the first line of the task, beside Sidekiq, p50", "ms",
            [starting._share(run, 50) for run in ours], "<=", 4, "ratio",
            [starting._share(run, 50) for run in theirs], database="either",
            meaning="The rival is Debian's Sidekiq with two threads, from its push to the first line of the job. That "
            "job has no row, no input, and no process of its own.",
        )  # fmt: skip
        yield row
        yield replace(
            row, name="join to the first line of the task, beside Sidekiq, p99", meaning="", bound=None, kind=None,
            ours=[starting._share(run, 99) for run in ours], rival=[starting._share(run, 99) for run in theirs],
        )  # fmt: skip


class Sidekiq:
    """A program that pushes jobs, beside the process that runs them."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        self._program = program

    def join(self) -> float:
        """Push a job. The time of the call, by the clock of the machine."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write("0\n")
        self._program.stdin.flush()
        return float(self._program.stdout.readline())


@contextmanager
def _running(sidekiq: str) -> Iterator[Sidekiq]:
    server = [sidekiq, "--require", str(PROGRAM), "--queue", "sidekiq", "--concurrency", "2"]
    environment = os.environ | {"RAILS_ENV": "production"}
    with (
        subprocess.Popen(server, env=environment, cwd="/", stdout=NOTHING, stderr=NOTHING) as worker,
        subprocess.Popen(["ruby", str(PROGRAM)], stdin=PIPE, stdout=PIPE, stderr=NOTHING, text=True) as program,
    ):
        try:
            yield Sidekiq(program)
        finally:
            program.terminate()
            worker.terminate()


def _join() -> float:
    called = time.time()
    starting.join()
    return called


def _latencies(join: Callable[[], float], joins: int) -> list[float]:
    """Milliseconds from the call to the first line, each on an idle worker."""
    log, began = processes.clear_stamps(), []
    for number in range(joins):
        time.sleep(PAUSE)
        began.append(join())
        processes.wait_for(partial(starting._has_ended, log, number + 1))
    return [(first - start) * 1000 for first, start in zip(processes.stamps("first"), began, strict=True)]
