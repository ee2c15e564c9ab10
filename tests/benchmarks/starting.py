"""Starting: from the join to the first line of the task on an idle worker, from one task to the next, and the memory.

The rival is a stock worker whose job makes the same two updates of the same row on its horse's own connection. Both
workers are there all the time, and are measured in turn.
"""

import math
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import redis
from django.core.files.base import ContentFile
from rq.queue import Queue

from queueing import joining, registry
from queueing.conf import conf
from queueing.line.places import get_line
from queueing.models import Entry
from tests.benchmarks import processes, stock, waiting
from tests.benchmarks.browser import Browser
from tests.benchmarks.report import Row
from tests.support.servers import free_port
from tests.support.web import is_listening

RUNS = 3
JOINS = 60  # in each run
IN_A_ROW = 30
LONG_TASK, SHORT_TASK = 0.05, 0.01  # seconds
PAUSE = 0.05  # seconds in which an idle worker comes to rest: ours forks its next horse
MEGABYTE = 2**20


def rows() -> Iterator[Row]:
    waiting.clear()
    with processes.running(("manage.py", "rqworker", waiting.QUEUE, "-v", "0"), ("-m", "tests.benchmarks.stock")) as (
        worker,
        _,
    ):
        processes.wait_for(lambda: idle_workers() == 2)
        latencies(join, 20)
        latencies(_stock_join, 20)
        ours, rival = [], []
        for _ in range(RUNS):
            ours.append(latencies(join, JOINS))
            rival.append(latencies(_stock_join, JOINS))
        row = Row(
            "join to the first line of the task, p50", "ms", [_share(run, 50) for run in ours], "<=", 0.25, "ratio",
            [_share(run, 50) for run in rival], database="either",
            meaning="From the call of `joining.join` to the task's first line, on an idle worker. The rival's join is "
            "one row insert and stock RQ's `enqueue`; its job updates the row as ours does.",
        )  # fmt: skip
        yield row
        yield replace(
            row, name="join to the first line of the task, p99", meaning="", bound=0.4,
            ours=[_share(run, 99) for run in ours], rival=[_share(run, 99) for run in rival],
        )  # fmt: skip
        yield from _as_a_browser_sees_it()
        yield from _one_after_another()
        yield _memory(psutil.Process(worker.pid))


def _one_after_another() -> Iterator[Row]:
    for seconds in (LONG_TASK, SHORT_TASK):
        ours, rival = [], []
        for _ in range(RUNS):
            ours.append(_run_in_a_row(partial(_join_many, seconds)))
            rival.append(_run_in_a_row(partial(_stock_join_many, seconds)))
        if seconds == LONG_TASK:
            yield Row(
                "the end of a task to the first line of the next", "ms",
                [_share(_gaps(run), 50) for run in ours], "<=", 0.25, "ratio",
                [_share(_gaps(run), 50) for run in rival], database="either",
                meaning=f"The median gap on one worker with {IN_A_ROW} entries in line, whose tasks take "
                f"{LONG_TASK * 1000:.0f} ms, and the same of the stock worker.",
            )  # fmt: skip
        else:
            yield Row(
                f"short tasks ({SHORT_TASK * 1000:.0f} ms) through one worker", "/s",
                [_rate(run) for run in ours], ">=", 50, "ours", [_rate(run) for run in rival], database="either",
                meaning=f"{IN_A_ROW} entries in line, one process for each, from the first line of the first to the "
                "last line of the last.",
            )  # fmt: skip


def _memory(worker: psutil.Process) -> Row:
    """The memory of a worker at rest, with its standby and without."""
    time.sleep(1)  # until the standby has rehearsed
    (standby,) = worker.children()
    both = _pss(worker) + _pss(standby)
    standby.kill()  # the worker forks another one when it looks again, within seconds
    processes.wait_for(lambda: standby.status() == psutil.STATUS_ZOMBIE)
    alone = _pss(worker)
    return Row(
        "memory of a worker with its standby", "MB", [both / MEGABYTE], rival=[alone / MEGABYTE],
        meaning="Shared pages counted once (PSS), at rest, without models. The rival is the same worker without it.",
    )  # fmt: skip


def _pss(process: psutil.Process) -> int:
    return int(process.memory_full_info().pss)


def _as_a_browser_sees_it() -> Iterator[Row]:
    port = free_port()
    command = ("-m", "config.serve", "--port", str(port), "-v", "0")
    with processes.running(command):
        processes.wait_for(partial(is_listening, port))
        browser = Browser(port, waiting.QUEUE)
        latencies(browser.join, 20)
        yield Row(
            "the form's answer to the first line of the task", "ms",
            [_share(latencies(browser.join, JOINS), 50) for _ in range(RUNS)], "<=", 15, database="either",
            meaning="As a browser sees it: from the redirect that answers the form, over the page that it opens (the "
            "first look), to the first line. With a real web process.",
        )  # fmt: skip


def latencies(join: Callable[[], Any], joins: int, *, workers: int = 2) -> list[float]:
    """Milliseconds to the first line, each on an idle worker: from the call of `join`, or from the time it returns."""
    log = processes.clear_stamps()
    began = []
    for number in range(joins):
        time.sleep(PAUSE)
        processes.wait_for(lambda: idle_workers() == workers)
        called = time.time()
        answered = join()
        began.append(answered if isinstance(answered, float) else called)
        processes.wait_for(partial(_has_ended, log, number + 1))
    return [(first - start) * 1000 for first, start in zip(processes.stamps("first"), began, strict=True)]


def _has_ended(log: Path, times: int) -> bool:
    return log.read_text().count("last") == times


def _run_in_a_row(join_many: Callable[[], object]) -> tuple[list[float], list[float]]:
    """The times of the first and of the last lines, with a full line."""
    log = processes.clear_stamps()
    join_many()
    processes.wait_for(partial(_has_ended, log, IN_A_ROW), every=0.05)
    return processes.stamps("first"), processes.stamps("last")


def _gaps(run: tuple[list[float], list[float]]) -> list[float]:
    """Milliseconds from the end of each task to the first line of the next."""
    begins, ends = run
    return [(begin - end) * 1000 for begin, end in zip(begins[1:], ends[:-1], strict=True)]


def _rate(run: tuple[list[float], list[float]]) -> float:
    """Tasks a second."""
    begins, ends = run
    return IN_A_ROW / (ends[-1] - begins[0])


def join() -> Entry:
    """A join, and the first look by the function that the page's view calls."""
    entry = joining.join(
        registry.get_task(waiting.QUEUE),
        code=uuid.uuid4(),
        owner=joining.Owner(uuid.uuid4()),
        upload=ContentFile(b"a,b\n1,2\n", name="a.csv"),
        content_type="text/csv",
        options={},
    )
    joining.look(entry, conf.POLL_TTL)
    return entry


def _stock_join() -> None:
    entry = Entry.objects.create(queue="stock", task_path="stock", visitor=uuid.uuid4(), slot=0)
    stock.kept_queue().enqueue(stock.update_and_stamp, entry.pk)


def _join_many(seconds: float) -> None:
    waiting.make(IN_A_ROW, presence=2 * conf.POLL_TTL, seconds=seconds)  # a start does not believe in a longer one


def _stock_join_many(seconds: float) -> None:
    made = Entry.objects.bulk_create(Entry(queue="stock", task_path="stock") for _ in range(IN_A_ROW))
    many = [Queue.prepare_data(stock.update_and_stamp, (entry.pk, seconds)) for entry in made]
    stock.kept_queue().enqueue_many(many)


def idle_workers() -> int:
    client: redis.Redis = get_line(waiting.QUEUE).client
    return sum(client.hget(key, "state") == b"idle" for key in client.smembers("rq:workers"))


def _share(values: list[float], percent: int) -> float:
    """The value that so many percent of them do not exceed."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]
