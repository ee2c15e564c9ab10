"""Scans: from the start of a job to its recognition and its first page, and the memory of a second worker."""

import time
import uuid
from collections.abc import Iterator
from functools import cache

import psutil
from django.core.files.base import ContentFile
from PIL import Image

from queueing import joining, registry
from queueing.conf import conf
from queueing.models import Entry
from queueing.states import Status
from queueing.tasks.documents.source import open_document
from tests.benchmarks import processes, waiting
from tests.benchmarks.report import Row
from tests.support import documents
from tests.support.paths import SCAN

RUNS, PAIRS = 3, 2  # of one page each; of one worker and two
SCANS = 2  # of three pages, for each worker
PATIENCE = 600  # seconds
MB = 1000**2


def rows() -> Iterator[Row]:
    with processes.running(_pool(1)) as [pool]:
        _wait_for_workers(pool.pid, 1)
        _read_one()
        times = [_read_one() for _ in range(RUNS)]
    yield Row(
        "the start of a scan's job to its recognition", "ms", [begun for begun, _, _ in times], "<=", 300,
        meaning="From the row's start, by the database's clock, to the first call of a model, in the isolated process "
        "of a worker whose models were loaded before the fork. One page of 300 dpi.",
    )  # fmt: skip
    yield Row(
        "the start of a scan's job to its first page", "ms", [read for _, read, _ in times], "<=", 4000,
        meaning="Likewise, until the first page is read and its picture is stored.",
    )  # fmt: skip
    yield Row(
        "the join to the result of one page", "ms", [shown for _, _, shown in times], "<=", 4000,
        meaning="Likewise, from the join to the row's end; a page with a socket shows it then.",
    )  # fmt: skip
    yield Row(
        "a second worker of a pool that reads scans", "MB", [_cost_of_second() for _ in range(PAIRS)], "<=", 300,
        meaning="All processes of a worker while each of them reads a scan: their proportional set size (PSS), at its "
        "peak. Two workers of `rqworker-pool` less one.",
    )  # fmt: skip


def _pool(workers: int) -> tuple[str, ...]:
    return ("manage.py", "rqworker-pool", "scan", "--num-workers", f"{workers}", "-v", "0")


def _wait_for_workers(pid: int, count: int) -> None:
    processes.wait_for(lambda: len(psutil.Process(pid).children()) >= count, every=0.05)


def _read_one() -> tuple[float, float, float]:
    """Milliseconds from the start to the recognition and to the first page, and from the join to the end."""
    processes.clear_stamps()
    entry = _join(_one_page(), "page.png")
    processes.wait_for(lambda: Entry.objects.filter(pk=entry.pk, status=Status.SUCCEEDED).exists(), every=0.02)
    entry.refresh_from_db()
    assert entry.started_at is not None
    assert entry.finished_at is not None
    start = entry.started_at.timestamp()
    [begun], [read] = processes.stamps("recognition"), processes.stamps("page")
    shown = (entry.finished_at - entry.joined_at).total_seconds()
    return (begun - start) * 1000, (read - start) * 1000, shown * 1000


@cache
def _one_page() -> bytes:
    with SCAN.open("rb") as file, open_document(file) as document:
        page: Image.Image = document.picture(0)
    return documents.saved(page, "PNG")


def _join(content: bytes, name: str) -> Entry:
    entry = joining.join(
        registry.get_task("scan"),
        code=uuid.uuid4(),
        owner=joining.Owner(uuid.uuid4()),
        upload=ContentFile(content, name=name),
        content_type="application/octet-stream",
        options={},
    )
    joining.look(entry, conf.POLL_TTL)
    return entry


def _cost_of_second() -> float:
    return _peak(2) - _peak(1)


def _peak(workers: int) -> float:
    """Megabytes of all processes of a pool, at the most, while all of its workers read."""
    waiting.clear()
    with processes.running(_pool(workers)) as [pool]:
        entries = [_join(SCAN.read_bytes(), "scan.pdf") for _ in range(SCANS * workers)]
        peak, began = 0.0, time.monotonic()
        while Entry.objects.filter(status=Status.SUCCEEDED).count() < len(entries):
            assert time.monotonic() < began + PATIENCE, "the benchmark waited in vain"
            if Entry.objects.filter(status=Status.RUNNING).count() == workers:
                peak = max(peak, _pss(pool.pid))
            for entry in entries:
                joining.look(entry, conf.POLL_TTL)
            time.sleep(0.1)
    return peak / MB


def _pss(pid: int) -> int:
    """Bytes of this process and all below it; what several share is counted once in all."""
    found = 0
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        try:
            found += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return found
