"""Machines that die: a primary of Valkey fails under a site whose visitors wait with open pages.

Primary, replica and three sentinels are real, with the periods that they have as shipped; web, worker and keeper, too.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from queueing.line import clients, keys
from queueing.models import Entry
from queueing.states import Status
from tests.benchmarks.report import Row
from tests.support import probe
from tests.support.available import Available
from tests.support.connections import forget_connections
from tests.support.pages import Page
from tests.support.processes import Processes
from tests.support.visitors import Visitor
from tests.support.waiting import wait_for
from tests.support.web import Web

FAULTS = ["killed", "stopped", "isolated"]
DOWN_AFTER = 5_000  # milliseconds, as docs/operations.md recommends
VISITORS = 30
PATIENCE = 120  # seconds


class Outcome(NamedTuple):
    """Of one failover; seconds from the moment at which most sentinels name the new primary."""

    since_fault: float  # seconds from the fault to that start
    start: float
    join: float
    lost: int  # entries that were confirmed and have no result
    dropped: int  # of these: ended for an absence


def rows() -> Iterator[Row]:
    """Each kind of failover once."""
    found = [_fail_over(fault) for fault in FAULTS]
    what = f"The primary is killed, is stopped, and is cut off with a sentinel, while {VISITORS} visitors wait."
    yield Row(
        "failover: the new primary to the next start", "s", [one.start for one in found], "<=", 15, by="max",
        meaning=f"{what} From the moment at which most sentinels name it.",
    )  # fmt: skip
    yield Row(
        "failover: the new primary to the next confirmed join", "s", [one.join for one in found], "<=", 15, by="max",
        meaning="The same failovers; a visitor who tries again and again.",
    )  # fmt: skip
    yield Row(
        "failover: the fault to the next start", "s", [one.since_fault for one in found],
        meaning=f"The same, with {DOWN_AFTER / 1000:g} s until the sentinels take a silent server for dead.",
    )  # fmt: skip
    yield Row(
        "failover: confirmed entries lost", "", [one.lost for one in found], "<=", 0, by="max",
        meaning="Entries without a result at the end, of those whose join was answered.",
    )  # fmt: skip
    yield Row(
        "failover: present visitors dropped", "", [one.dropped for one in found], "<=", 0, by="max",
        meaning="Entries that ended for an absence; their pages were open, and connected again by themselves.",
    )  # fmt: skip


def _fail_over(fault: str) -> Outcome:
    Entry.objects.all().delete()
    probe.log_path().write_text("")
    with _site() as (available, web):
        gate = probe.hold("running")
        pages = [_join(web, "running")]
        wait_for(lambda: probe.entered("running"), PATIENCE)
        pages += [_join(web, f"waiting{number}") for number in range(VISITORS)]
        available.replicate()
        began = time.time()
        before = available.begin(fault)
        gate.unlink()
        _, named_at = available.wait_for_another(before)
        pages.append(_join(web, "newcomer"))
        joined_at = time.time()
        available.end(fault, before)
        pages.append(_join(web, "beside"))
        started_at = wait_for(lambda: _first_start_after(named_at), PATIENCE)
        wait_for(lambda: not Entry.objects.live().exists(), PATIENCE)
        for page in pages:
            page.close()
    assert Entry.objects.count() == len(pages)
    lost = Entry.objects.exclude(status=Status.SUCCEEDED)
    dropped = lost.filter(status=Status.ABANDONED)
    return Outcome(
        since_fault=started_at - began,
        start=started_at - named_at,
        join=joined_at - named_at,
        lost=lost.count(),
        dropped=dropped.count(),
    )


def _first_start_after(moment: float) -> float | None:
    lines = [line.split() for line in probe.log_path().read_text().splitlines()]
    return min((float(at) for name, _, _, at in lines if name != "running" and float(at) > moment), default=None)


def _join(web: Web, label: str) -> Page:
    """A visitor who tries until the join is confirmed, and then keeps the page open."""
    visitor = Visitor(SERVER_NAME="127.0.0.1")
    wait_for(lambda: visitor.send(label=label).status_code == 303, PATIENCE)
    return Page(web, Entry.objects.latest("pk"), visitor)


@contextmanager
def _site() -> Iterator[tuple[Available, Web]]:
    usual = settings.REDIS_URL
    available, processes = Available(down_after=DOWN_AFTER), Processes(Path(tempfile.mkdtemp()))
    settings.REDIS_URL = processes.environment["REDIS_URL"] = available.url
    processes.environment["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.settings"
    forget_connections()
    try:
        processes.manage("keeper")
        processes.manage("rqworker", "probe")
        web = Web(processes).wait()
        wait_for(lambda: clients.connection().exists(keys.KEEPER), PATIENCE)
        yield available, web
    finally:
        settings.REDIS_URL = usual
        forget_connections()
        processes.stop()
        available.stop()
