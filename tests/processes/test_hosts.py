"""Several web hosts behind a proxy, without stickiness: deploys, deaths, silence, and tabs on different hosts."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from queueing.line.places import Line
from queueing.models import Entry, EntryEvent
from queueing.states import Status
from tests.support.clocks import QUICK
from tests.support.hosts import Hosts, newcomers, wait_until_open
from tests.support.pages import Page
from tests.support.processes import Processes
from tests.support.proxies import program
from tests.support.slow import slow
from tests.support.visitors import Visitor
from tests.support.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

VISITORS = 6
# Presence outlives the moments between two sockets on the busiest machine; newcomers come from one address.
CLOCKS = QUICK | {
    "PRESENCE_TTL": 10, "CLOSE_GRACE": 20, "LOST_GRACE": 40, "ADDRESS_BURST": 10_000, "ADDRESS_UNSEEN": 10_000,
}  # fmt: skip
DAPHNES = ("daphne", "daphne")
MIXED = ("daphne", "uvicorn")
KINDS = [
    ("nginx", DAPHNES),
    *slow(("caddy", DAPHNES), ("haproxy", DAPHNES), *((each, MIXED) for each in ("caddy", "nginx", "haproxy"))),
]


@pytest.fixture
def quick(settings: Any) -> dict[str, float]:
    settings.QUEUEING = CLOCKS
    return CLOCKS


@pytest.fixture
def make_hosts(processes: Processes, tmp_path: Path) -> Iterator[Callable[..., Hosts]]:
    made: list[Hosts] = []

    def make(proxy: str, servers: tuple[str, str], **values: float) -> Hosts:
        if program(proxy) is None:
            pytest.skip(f"{proxy} is not installed")
        processes.use(values)
        folder = tmp_path / proxy
        folder.mkdir()
        made.append(Hosts(processes, proxy, folder, servers))
        return made[0]

    yield make
    for hosts in made:
        hosts.stop()


@pytest.fixture
def open_page() -> Iterator[Callable[[Hosts, Entry, Visitor], Page]]:
    pages: list[Page] = []

    def open_one(hosts: Hosts, entry: Entry, visitor: Visitor) -> Page:
        pages.append(hosts.open(entry, visitor))
        return pages[-1]

    yield open_one
    for page in pages:
        page.is_over.set()
    for page in pages:
        page.join(10)


@pytest.mark.parametrize(("proxy", "servers"), KINDS)
def test_a_rolling_restart_costs_nobody_anything(
    make_hosts: Callable[..., Hosts], open_page: Callable[..., Page], line: Line, proxy: str, servers: tuple[str, str]
) -> None:
    """Each web process is restarted while visitors wait and join: no place, no answer and no presence is lost."""
    hosts = make_hosts(proxy, servers, ANNOUNCE_SECONDS=0 if proxy == "nginx" else 1.5)  # nginx asks nobody
    hosts.processes.keeper()
    visitors = [Visitor() for _ in range(VISITORS)]
    entries = [visitor.join(label=f"waits{number}") for number, visitor in enumerate(visitors)]
    pages = [open_page(hosts, entry, visitor) for entry, visitor in zip(entries, visitors, strict=True)]
    wait_until_open(pages)
    with newcomers(hosts.proxy.port) as crowd:
        for number in range(2):
            hosts.restart(number)
            wait_until_open(pages)
            wait_for(partial(hosts.takes_joins, number))  # the proxy has noticed that it is back
    assert crowd.broken_looks == []
    if servers == DAPHNES:  # uvicorn resets the connections that it has not accepted yet
        assert crowd.broken_joins == []
    assert Entry.objects.filter(code__in=crowd.codes).count() == crowd.joins
    order = [entry.job_id for entry in entries]
    wait_for(lambda: line.ids()[:VISITORS] == order)
    assert set(Entry.objects.filter(pk__in=[entry.pk for entry in entries]).values_list("status", flat=True)) == {
        Status.WAITING
    }
    held = EntryEvent.objects.filter(entry__in=entries, kind=EntryEvent.Kind.HELD)
    assert list(held) == []
