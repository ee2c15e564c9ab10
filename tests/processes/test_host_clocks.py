"""Hosts whose clocks are wrong by a minute: what is noted, told and allowed depends on none of them."""

import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Status
from queueing.testing.presence import stay
from tests.support.brake import solve
from tests.support.clocks import QUICK, HostClock, can_set_clocks, clock_of_host, preloaded
from tests.support.entries import status_of
from tests.support.fork_server import ForkServer
from tests.support.posting import Poster
from tests.support.probe import entered, hold
from tests.support.processes import Processes
from tests.support.slow import slow
from tests.support.visitors import Visitor, presence_of
from tests.support.waiting import wait_for
from tests.support.web import Web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

APART = 60  # seconds that the clock of each host is wrong, in opposite directions
BRIEF = 40  # seconds of what lives for less than that
CLOCKS = QUICK | {
    "PRESENCE_TTL": 5, "POLL_TTL": 11, "LOST_GRACE": 30, "CLOSE_GRACE": 20, "SIGN_IN_IDLE": BRIEF, "RESULT_TTL": BRIEF,
    "INPUT_TTL": BRIEF, "LEASE": 10,
}  # fmt: skip
PASSWORD = "a long enough password"
SECONDS = timedelta(seconds=20)  # many times what a step takes


@pytest.fixture(scope="module")
def webs(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Web, Web]]:
    """One behind, one ahead."""
    processes = Processes(tmp_path_factory.mktemp("webs"))
    processes.use(CLOCKS | {"BRAKE": "on", "BRAKE_BITS": 4})
    try:
        started = [Web(processes, **clock_of_host(seconds)) for seconds in (-APART, APART)]
        for web in started:
            web.wait()
        yield started[0], started[1]
    finally:
        processes.stop()


@pytest.fixture
def quick(settings: Any) -> dict[str, float]:
    settings.QUEUEING = CLOCKS
    return CLOCKS


@pytest.fixture(params=["behind", *slow("ahead")])
def web(request: pytest.FixtureRequest, webs: tuple[Web, Web]) -> Web:
    return webs[request.param == "ahead"]


@pytest.fixture
def other(web: Web, webs: tuple[Web, Web]) -> Web:
    return webs[web is webs[0]]


def is_about_now(moment: Any) -> bool:
    return bool(abs(timezone.now() - moment) < SECONDS)


def test_a_join_is_noted_with_the_shared_time_and_its_proof_counts_at_the_other_host(web: Web, other: Web) -> None:
    poster = Poster(web.port, "probe")
    poster.port = other.port
    answer = poster.send(b"a,b\n1,2\n", **solve(poster.page))
    assert answer.code == 303, answer.text
    assert is_about_now(Entry.objects.get().joined_at)


def test_presence_and_place_do_not_depend_on_the_host(web: Web, other: Web, line: Line) -> None:
    visitors = [Visitor(), Visitor()]
    first, second = [visitor.join() for visitor in visitors]
    with web.open(first, visitors[0]) as ws, other.open(second, visitors[1]) as at_other:
        assert '"ahead": 0' in str(ws.recv(timeout=10))
        assert '"ahead": 1' in str(at_other.recv(timeout=10))
        for entry in (first, second):
            assert presence_of(entry) <= max(CLOCKS["PRESENCE_TTL"], CLOCKS["POLL_TTL"])
        wait_for(lambda: line.ids() == [first.job_id, second.job_id])


def test_a_run_that_its_visitor_ends_has_its_true_length(web: Web, processes: Processes) -> None:
    visitor = Visitor()
    entry = visitor.join(seconds="60")
    processes.worker()
    wait_for(lambda: status_of(entry) == Status.RUNNING)
    lease = Entry.objects.get(pk=entry.pk).lease_until
    assert lease
    assert abs(lease - timezone.now()) < SECONDS
    poster = Poster(web.port, "probe")
    poster.path, poster.cookie = f"/entry/{entry.code}/leave/", f"{poster.cookie}; {visitor.cookie}"
    assert poster.send(b"").code == 303
    wait_for(lambda: status_of(entry) == Status.CANCELLED)
    assert entry.finished_at
    assert is_about_now(entry.finished_at)
    assert entry.run_time is not None
    assert timedelta() < entry.run_time < SECONDS


def test_staff_who_sign_in_at_one_host_are_signed_in_at_the_other(web: Web, other: Web) -> None:
    User.objects.create_superuser("boss", password=PASSWORD)
    answer = Poster(web.port, "", "/admin/login/").send(b"", username="boss", password=PASSWORD)
    assert answer.code == 302, answer.text
    for host in (web, other):
        request = urllib.request.Request(f"http://127.0.0.1:{host.port}/admin/", headers={"Cookie": answer.cookie})
        with urllib.request.urlopen(request, timeout=20) as page:  # noqa: S310  # our own site
            assert "boss" in page.read().decode()


@pytest.mark.parametrize("seconds", [-APART, *slow(APART)])
def test_a_worker_notes_the_shared_time_also_when_its_clock_is_set_while_a_task_runs(
    processes: Processes, join: Callable[..., Entry], tmp_path: Path, seconds: int
) -> None:
    """A result is kept for some time after its end, so an end that is noted too early takes it too early."""
    if not can_set_clocks():
        pytest.skip("there is no C compiler; on Debian: apt-get install gcc libc6-dev")
    clock, processes.server = HostClock(tmp_path / "clock"), ForkServer(preloaded())
    gate = hold("first")
    entries = [join(label) for label in ("first", "second")]
    for entry in entries:
        stay(entry)
    processes.manage("rqworker", "probe", **clock.variables)
    wait_for(lambda: entered("first"))
    clock.set(seconds)
    gate.unlink()
    wait_for(lambda: all(status_of(entry) == Status.SUCCEEDED for entry in entries))
    for entry in entries:
        assert entry.run_time is not None
        assert timedelta() < entry.run_time < SECONDS
        assert is_about_now(entry.started_at)
        assert is_about_now(entry.finished_at)
