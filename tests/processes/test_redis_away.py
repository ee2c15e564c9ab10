"""Pages while Redis refuses, hangs, is slow, takes no writes or is empty: quick, true, and soon well again.

No bound here depends on the speed of the machine. A page may wait for Redis for the allowance in all, which is short in
these tests. WORK is the room for all else: twenty times what a page needs. With the allowance as shipped, 1 s, a page
that stays within it takes less than 2 s.
"""

import contextlib
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from django.conf import settings

from queueing.line import allowance
from queueing.models import Entry
from queueing.states import Reason, Status
from tests.support.browser.proxy import Proxy
from tests.support.connections import forget_connections
from tests.support.entries import status_of
from tests.support.faults import NAMES, Fault, faults
from tests.support.own_valkey import OwnValkey
from tests.support.processes import Processes
from tests.support.slow import slow
from tests.support.visitors import FORM, Visitor, finished, staff, url
from tests.support.waiting import wait_for
from tests.support.web import Web

ALLOWANCE = 0.25
WORK, WORK_OF_READYZ = 1.0, 0.5
REDIS_AWAY = "The line cannot be seen right now; your place is kept."


USUAL = ["refused", "hanging"]  # among the fast tests


@pytest.fixture(params=[*USUAL, *slow(*(name for name in NAMES if name not in USUAL))])
def fault(request: pytest.FixtureRequest, own_valkey: OwnValkey, settings: Any) -> Iterator[Fault]:
    """A fault that a test may begin and end."""
    settings.REDIS_TIMEOUT = 2.0  # as shipped
    settings.REDIS_ALLOWANCE = ALLOWANCE
    settings.QUEUEING = {"MIN_PRESENCE": 0}  # these visitors have just come
    proxy = Proxy(own_valkey.port)
    if "slow" in request.param:
        settings.REDIS_URL = f"redis://{proxy.url.removeprefix('http://')}/0"
        forget_connections()
    yield faults(own_valkey, proxy)[request.param]
    proxy.stop()


class Pages:
    """Everything that can be asked of the site, by visitors who came before the fault."""

    def __init__(self) -> None:
        self.waiting, self.leaving, self.over = Visitor(), Visitor(), Visitor()
        self.entry, self.left = self.waiting.join(), self.leaving.join()
        self.result = finished(self.over)
        self.dropped = self.over.join()
        self.dropped.abandon(Reason.LOST)
        self.staff = staff("view", "change")
        visit, entry, admin = self.waiting.client, self.entry, self.staff.client
        self.all: dict[str, Callable[[], Any]] = {
            "home": lambda: visit.get("/"),
            "form": lambda: visit.get(FORM),
            "join": Visitor().send,
            "preview": lambda: Visitor().client.post("/join/tables/preview/"),
            "entry": lambda: visit.get(url(entry)),
            "status": lambda: visit.get(url(entry, "status.json")),
            "goodbye": lambda: visit.post(url(entry, "goodbye/")),
            "keep": lambda: visit.post(url(entry, "keep/")),
            "leave": lambda: self.leaving.client.post(url(self.left, "leave/")),
            "again": lambda: self.over.client.post(url(self.dropped, "again/")),
            "result": lambda: self.over.client.get(url(self.result, "result/")),
            "file": lambda: self.over.client.get(url(self.result, "files/answer.txt")),
            "result page": lambda: self.over.client.get(url(self.result)),
            "lines": lambda: admin.get("/admin/queueing/line/"),
            "line history": lambda: admin.get("/admin/queueing/line/page/probe/"),
            "index of staff": lambda: admin.get("/admin/"),
            "board": lambda: admin.get("/admin/queueing/line/board.json"),
            "workers": lambda: admin.get("/admin/queueing/entry/workers/"),
            "list": lambda: admin.get("/admin/queueing/entry/"),
            "entry of staff": lambda: admin.get(f"/admin/queueing/entry/{entry.pk}/change/"),
            "readyz": lambda: visit.get("/readyz"),
            "healthz": lambda: visit.get("/healthz"),
            "metrics": lambda: admin.get("/metrics"),
        }

    def ask(self, name: str) -> Any:
        """The answer, when this page is the first that meets the fault. Fails if it came late, or was an error."""
        allowance.circuit.close()
        began, idle = time.monotonic(), _without_core()
        answer = self.all[name]()
        took = time.monotonic() - began - (_without_core() - idle)
        answer.close()
        assert took < ALLOWANCE + (WORK_OF_READYZ if name == "readyz" else WORK), f"{name} took {took:.2f} s"
        if name != "readyz":  # 503 is its word for "not ready"
            assert answer.status_code < 500 or answer.has_header("Retry-After"), f"{name}: {answer.status_code}"
        return answer


def _without_core() -> float:
    """Seconds for which this thread could have run while others had all cores; 0 where the kernel does not tell."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except FileNotFoundError:
        return 0.0


def test_every_page_is_quick_and_none_is_an_error_of_ours(fault: Fault) -> None:
    pages = Pages()
    fault.begin()
    try:
        codes = {name: pages.ask(name).status_code for name in pages.all}
    finally:
        fault.end()
    assert codes["home"] == codes["form"] == codes["entry"] == codes["status"] == codes["lines"] == 200
    assert codes["line history"] == 200
    assert (codes["goodbye"], codes["keep"], codes["leave"]) == (204, 303, 303)
    assert codes["result"] == codes["file"] == codes["result page"] == codes["healthz"] == 200
    assert status_of(pages.left) == Status.CANCELLED
    if fault.is_steady:
        assert codes["join"] == codes["again"] == (303 if fault.takes_writes else 503)
    assert Entry.objects.count() == 4 + [codes["join"], codes["again"]].count(303)


@pytest.mark.parametrize("fault", [name for name in NAMES if name != "slow"], indirect=True)
def test_pages_say_only_what_is_true(fault: Fault) -> None:
    """A place or a wait is shown only if Redis told it just now, and can still act on it."""
    pages = Pages()
    fault.begin()
    try:
        page, state = pages.ask("entry").content.decode(), pages.ask("status").json()
        home, form, lines = (pages.ask(name).content.decode() for name in ("home", "form", "lines"))
        ready = pages.ask("readyz").json()
    finally:
        fault.end()
    assert ("The queue cannot be reached right now" in form) == (not fault.takes_writes)
    assert ("The line cannot be seen right now" in home) == (not fault.answers or not fault.has_places)
    assert ("Redis does not answer" in lines) == (not fault.answers)
    assert ready["redis"] == fault.takes_writes
    assert (REDIS_AWAY in page) == (state["wait"] == REDIS_AWAY) == (not fault.takes_writes)
    if not fault.takes_writes:
        assert (state["status"], state["position"], state["eta_seconds"]) == ("waiting", None, None)
        assert state["detail"].startswith("The queue cannot be reached for the moment.")


def test_everything_is_back_within_five_seconds(fault: Fault) -> None:
    pages = Pages()
    fault.begin()
    pages.all["home"]()
    pages.all["readyz"]()
    fault.end()
    wait_for(lambda: Visitor().send().status_code == 303, 5)
    assert pages.all["readyz"]().json()["redis"] is True
    assert "The line cannot be seen right now" not in pages.all["home"]().content.decode()
    assert REDIS_AWAY not in pages.all["entry"]().content.decode()


def test_sockets_and_their_redis_do_not_hold_up_requests(own_valkey: OwnValkey, on_own_valkey: Processes) -> None:
    """While Valkey hangs, a web process has open sockets, sockets that come, and requests in several threads.

    The sockets' clients of Redis (channel layer, Lobby) wait in the event loop for REDIS_TIMEOUT each, without blocking
    it. Of the requests, those at the beginning find out about Valkey, and the others are spared.
    """
    web = Web(on_own_valkey).wait()
    visitor = Visitor()
    entry = visitor.join()

    def get(path: str) -> tuple[int, float, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{web.port}{path}", headers={"Cookie": visitor.cookie})
        began = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                code, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            code, text = error.code, error.read().decode()
        return code, time.monotonic() - began, text

    def come(_: int) -> None:
        with contextlib.suppress(Exception), web.open(entry, visitor, open_timeout=6):
            pass

    with web.open(entry, visitor) as page, ThreadPoolExecutor(20) as threads:
        page.recv()
        assert get("/")[0] == 200
        own_valkey.hang()
        coming = [threads.submit(come, number) for number in range(10)]
        first = list(threads.map(get, ["/", url(entry), url(entry, "status.json"), "/readyz"]))
        with ThreadPoolExecutor(4) as few:  # of many at once, each would wait for the process's one core
            later = list(few.map(get, ["/", url(entry), url(entry, "status.json"), "/readyz", "/healthz"] * 4))
        own_valkey.go_on()
        wait_for(lambda: '"redis": true' in get("/readyz")[2], 5)
        for socket in coming:
            socket.result(30)
    assert {code for code, _, _ in first + later} == {200, 503}
    assert max(seconds for _, seconds, _ in first) < settings.REDIS_ALLOWANCE + WORK
    # At most one in each PAUSE waits again. Of twenty that did, the median would be an allowance.
    assert median(seconds for _, seconds, _ in later) < settings.REDIS_ALLOWANCE
