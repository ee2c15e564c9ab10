"""Several web hosts behind a proxy, without stickiness: deploys, deaths, silence, and tabs on different hosts."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from queueing.line import clients, keys
from queueing.line.places import Line, get_line
from queueing.models import Entry, EntryEvent
from queueing.states import Status
from tests.support.clocks import QUICK
from tests.support.entries import status_of
from tests.support.hosts import Hosts, newcomers, wait_until_open
from tests.support.namespace import Namespace, can_make_namespaces
from tests.support.own_valkey import OwnValkey
from tests.support.pages import Page
from tests.support.posting import Poster
from tests.support.processes import Processes
from tests.support.proxies import PROXIES, program
from tests.support.slow import slow
from tests.support.visitors import Visitor, presence_of
from tests.support.waiting import wait_for
from tests.support.web import Web

pytestmark = pytest.mark.django_db(transaction=True)

VISITORS = 6
SILENCE = 12  # seconds; a frame comes each 10 s
# Presence outlives the moments between two sockets on the busiest machine; newcomers come from one address.
CLOCKS = QUICK | {
    "PRESENCE_TTL": 10, "CLOSE_GRACE": 20, "LOST_GRACE": 40, "ADDRESS_BURST": 10_000, "ADDRESS_UNSEEN": 10_000,
}  # fmt: skip
DAPHNES = ("daphne", "daphne")
MIXED = ("daphne", "uvicorn")
KINDS = [
    ("nginx", DAPHNES),
    *slow(("caddy", DAPHNES), ("haproxy", DAPHNES), ("caddy", MIXED), ("nginx", MIXED), ("haproxy", MIXED)),
]
SILENCES = [
    ("haproxy", "stopped"),
    *slow(("caddy", "stopped"), ("nginx", "stopped"), *((proxy, "cut") for proxy in PROXIES)),
]


@pytest.fixture
def quick(settings: Any) -> dict[str, float]:
    settings.QUEUEING = CLOCKS
    return CLOCKS


@pytest.fixture
def make_hosts(processes: Processes, tmp_path: Path) -> Iterator[Callable[..., Hosts]]:
    made: list[Hosts] = []

    def make(
        proxy: str, servers: tuple[str, str] = DAPHNES, namespace: Namespace | None = None, **values: float
    ) -> Hosts:
        if program(proxy) is None:
            pytest.skip(f"{proxy} is not installed")
        processes.use(values)
        folder = tmp_path / proxy
        folder.mkdir()
        made.append(Hosts(processes, proxy, folder, servers, namespace))
        return made[0]

    yield make
    for hosts in made:
        hosts.stop()


@pytest.fixture
def make_namespace() -> Iterator[Callable[[], Namespace]]:
    made: list[Namespace] = []

    def make() -> Namespace:
        if not can_make_namespaces():
            pytest.skip("network namespaces need root")
        made.append(Namespace())
        return made[0]

    yield make
    for namespace in made:
        namespace.stop()


@pytest.fixture
def open_page() -> Iterator[Callable[..., Page]]:
    pages: list[Page] = []

    def open_one(hosts: Hosts, entry: Entry, visitor: Visitor, silence: float = 3600) -> Page:
        pages.append(hosts.open(entry, visitor, silence))
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
    hosts = make_hosts(proxy, servers, SHUTDOWN_NOTICE=0 if proxy == "nginx" else 1.5)  # nginx asks nobody
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


@pytest.mark.parametrize(("proxy", "fault"), SILENCES)
def test_a_host_that_vanishes_costs_nobody_a_place(
    request: pytest.FixtureRequest, open_page: Callable[..., Page], proxy: str, fault: str
) -> None:
    """No FIN: its pages come to the other host, newcomers get in, and it does no harm when it is back."""
    if fault == "cut":  # its way to Redis stays: it beats for pages that have gone elsewhere
        own: OwnValkey = request.getfixturevalue("own_valkey")
        processes = request.getfixturevalue("on_own_valkey")
        processes.environment["REDIS_URL"] = f"unix://{own.socket}"
    namespace = request.getfixturevalue("make_namespace")() if fault == "cut" else None
    hosts: Hosts = request.getfixturevalue("make_hosts")(proxy, namespace=namespace)
    hosts.processes.keeper()
    visitors = [Visitor() for _ in range(VISITORS)]
    entries = [visitor.join(label=f"waits{number}") for number, visitor in enumerate(visitors)]
    pages = [open_page(hosts, entry, visitor, SILENCE) for entry, visitor in zip(entries, visitors, strict=True)]
    wait_until_open(pages)
    hosts.fall_silent(0)
    wait_for(lambda: sockets_of(hosts.webs[1]) >= VISITORS, 60)
    if proxy != "nginx":  # it asks nobody whether they live, so a host that hangs takes its share of the requests
        wait_for(lambda: Poster(hosts.proxy.port, "probe").send(b"a,b\n1,2\n").code == 303)
    hosts.come_back(0)
    for entry in entries:
        forget_presence(entry)
        wait_for(partial(is_there, entry))
    wait_for(lambda: get_line("probe").ids()[:VISITORS] == [entry.job_id for entry in entries])
    assert all(status_of(entry) == Status.WAITING for entry in entries)


def is_there(entry: Entry) -> bool:
    return presence_of(entry) > 1


def forget_presence(entry: Entry) -> None:
    clients.connection().delete(keys.PRESENCE.format(job_id=entry.job_id))


def sockets_of(web: Web) -> int:
    """Connections of the proxy with this process."""
    found = psutil.Process(web.process.pid).net_connections("tcp")
    return sum(one.status == psutil.CONN_ESTABLISHED and one.laddr.port == web.port for one in found)
