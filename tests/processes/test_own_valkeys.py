"""Two lines, each on its own Valkey, in one web process, with one keeper and a worker each.

The Valkey of the line "tables" is killed, or hangs. That of the probe's line is at REDIS_URL.
"""

import contextlib
import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from websockets.exceptions import ConnectionClosed, WebSocketException

from queueing import steering
from queueing.line import clients, keys
from queueing.models import Entry
from queueing.states import Status
from queueing.testing.presence import go
from tests.support.clocks import QUICK
from tests.support.connections import forget_connections
from tests.support.entries import status_of
from tests.support.own_line import on_own_valkey, url_of
from tests.support.own_valkey import OwnValkey
from tests.support.probe import entered, hold
from tests.support.processes import Processes
from tests.support.visitors import Visitor, staff, url
from tests.support.waiting import wait_for
from tests.support.web import Web

Join = Callable[..., Entry]
OVER = 1000  # the close code behind the end of an entry


@pytest.fixture
def own(processes: Processes, settings: Any) -> Iterator[OwnValkey]:
    """The Valkey of the line "tables", here and in all processes."""
    with on_own_valkey(settings, "tables") as made:
        processes.environment["REDIS_URL_TABLES"] = url_of(made)
        yield made


class Site:
    """The processes, and what can be asked of them from outside."""

    def __init__(self, processes: Processes, own: OwnValkey) -> None:
        self.web = Web(processes).wait()
        self.keeper = processes.keeper()
        processes.worker("probe", "documents")
        processes.manage("rqworker", "tables")
        wait_for(lambda: own.client.smembers("rq:workers"))
        self.staff = staff("lines", "view")
        wait_for(lambda: self.get("/readyz")["lines"]["tables"] == "open")

    def get(self, path: str) -> Any:
        """The JSON of a page, for staff."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.web.port}{path}", headers={"Cookie": self.staff.cookie}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.load(answer) | {"code": answer.status}
        except urllib.error.HTTPError as error:
            return json.load(error) | {"code": error.code}


class Page:
    """An open page of an entry, which connects again as the browser's does, until it is closed here."""

    def __init__(self, web: Web, entry: Entry, visitor: Visitor) -> None:
        self.web, self.entry, self.visitor = web, entry, visitor
        self.frames: list[dict[str, Any]] = []
        self.ends: list[int] = []  # close codes
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._live)
        self._thread.start()

    def close(self) -> None:
        self._is_over.set()
        self._thread.join(30)

    def _live(self) -> None:
        while not self._is_over.is_set():
            with (
                contextlib.suppress(WebSocketException, OSError, TimeoutError),
                self.web.open(self.entry, self.visitor) as socket,
            ):
                self._listen(socket)
            self._is_over.wait(0.3)

    def _listen(self, socket: Any) -> None:
        while not self._is_over.is_set():
            try:
                self.frames.append(json.loads(socket.recv(timeout=0.2)))
            except TimeoutError:
                continue
            except ConnectionClosed as error:
                self.ends.append(error.rcvd.code if error.rcvd else 0)
                return

    @property
    def position(self) -> int | None:
        """The place that the page shows."""
        told = [frame["position"] for frame in self.frames if "position" in frame]
        return told[-1] if told else None


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["killed", "hanging"])
def test_the_other_line_goes_on(own: OwnValkey, processes: Processes, join: Join, fault: str) -> None:
    site = Site(processes, own)
    steering.steer("tables", steering.pause, "paused in a test")  # so that its visitors wait
    waiting, absent = Visitor(), Visitor()
    waits, is_gone = waiting.join_with_sample("tables"), absent.join_with_sample("tables")
    there = Page(site.web, waits, waiting)
    gate, busy = hold("busy"), Visitor()
    beats = Page(site.web, busy.join(label="busy"), busy)
    wait_for(lambda: entered("busy"))
    first, second = Visitor(), Visitor()
    ahead, behind = first.join(label="ahead"), second.join(label="behind")
    pages = [Page(site.web, ahead, first), Page(site.web, behind, second)]
    wait_for(lambda: there.position == 1 and pages[1].position == 2)

    (own.kill if fault == "killed" else own.hang)()
    wait_for(lambda: 4013 in there.ends)  # no beat for PRESENCE_TTL
    wait_for(lambda: site.get("/readyz")["lines"] == {"documents": "open", "tables": "away", "probe": "open"})
    _everything_goes_on(site, pages, gate, join)
    assert Visitor().client.post("/join/tables/", {"sample": "yes"}).status_code == 503
    assert [code for page in (beats, *pages) for code in page.ends if code != OVER] == []

    own.client.close()
    back = _back(own, fault)
    wait_for(lambda: there.position == 1)
    assert status_of(waits) == Status.WAITING
    _last_is_dropped_in_time(is_gone, waits, back)
    steering.steer("tables", steering.resume, "resumed in a test")
    wait_for(lambda: status_of(waits) == Status.SUCCEEDED)
    for page in (there, beats, *pages):
        page.close()
    assert site.keeper.poll() is None
    assert processes.logs().count("keeper: the Redis of tables is away") == 1


def _everything_goes_on(site: Site, pages: list[Page], gate: Any, join: Join) -> None:
    """In the probe's line: joins, claims, places, drops, and what staff and proxies see."""
    new = Visitor()
    joined = new.join(label="new")
    gone = join("gone")
    go(gone)
    wait_for(lambda: status_of(gone) == Status.ABANDONED)  # after LOST_GRACE
    new.client.get(url(joined))
    gate.unlink()
    wait_for(lambda: entered("ahead") and entered("behind"))
    wait_for(lambda: pages[1].frames[-1].get("status") == "succeeded")
    new.client.get(url(joined))
    wait_for(lambda: status_of(joined) == Status.SUCCEEDED)
    assert site.get("/readyz")["code"] == 200
    board = site.get("/admin/queueing/line/board.json")
    assert (board["away"], board["parts"]["tables:present"]) == (False, "?")
    assert board["parts"]["probe:present"] == "0"
    assert clients.connection().exists(keys.KEEPER)


def _back(own: OwnValkey, fault: str) -> datetime:
    """It is there again, empty if it was killed; the moment of that."""
    began = timezone.now()
    if fault == "hanging":
        own.go_on()
        return began
    own.start()
    for key in own.client.scan_iter("rq:line:*:epoch"):
        own.client.delete(key)
    return began


def _last_is_dropped_in_time(gone: Entry, there: Entry, back: datetime) -> None:
    """A visitor who does not come back is dropped, once the watch is old enough; one whose page is back is not.

    Nor was that one before: its row waits.
    """
    wait_for(lambda: status_of(gone) == Status.ABANDONED)
    assert gone.finished_at
    assert gone.finished_at - back >= timedelta(seconds=QUICK["LOST_GRACE"] - 0.5)
    assert status_of(there) == Status.WAITING


def test_a_worker_that_is_asked_for_lines_of_both_ends_with_one_sentence(own: OwnValkey, processes: Processes) -> None:
    """Also without names, which means all lines."""
    started = [processes.manage("rqworker", *names) for names in (["tables", "probe"], [])]
    assert [process.wait(60) for process in started] == [1, 1]
    told = [line for line in processes.logs().splitlines() if "One process serves lines of one Redis" in line]
    assert len(told) == 2
    assert told[0].endswith("Start one for each of these groups: tables; probe.")
    assert "Traceback" not in processes.logs()


@pytest.fixture
def shared(processes: Processes, settings: Any) -> Iterator[OwnValkey]:
    """The Valkey of REDIS_URL, here and in all processes. The line "tables" is on that of the test run."""
    made, there = OwnValkey(), settings.REDIS_URL
    processes.environment |= {"REDIS_URL": url_of(made), "REDIS_URL_TABLES": there}
    forget_connections()
    own = settings.RQ_QUEUES["tables"] | {"URL": there, clients.OWN: there}
    settings.RQ_QUEUES, settings.REDIS_URL = settings.RQ_QUEUES | {"tables": own}, url_of(made)
    yield made
    forget_connections()
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["killed", "hanging"])
def test_a_line_is_served_while_the_redis_of_redis_url_is_away(
    shared: OwnValkey, processes: Processes, fault: str
) -> None:
    """Its visitor has no socket then, and stays present by polls. Nobody joins, because nobody knows the budgets."""
    Web(processes).wait()
    processes.keeper()
    processes.manage("rqworker", "tables")
    there = clients.connection("tables")
    wait_for(lambda: there.smembers("rq:workers"))
    steering.steer("tables", steering.pause, "paused in a test")
    visitor = Visitor()
    entry = visitor.join_with_sample("tables")
    (shared.kill if fault == "killed" else shared.hang)()
    wait_for(lambda: visitor.client.get(url(entry, "status.json")).json()["position"] == 1)
    assert Visitor().client.post("/join/tables/", {"sample": "yes"}).status_code == 503
    assert Visitor().client.get("/readyz").json()["redis"] is False
    steering.steer("tables", steering.resume, "resumed in a test")
    wait_for(lambda: visitor.client.get(url(entry, "status.json")).json()["status"] == "succeeded")
    (shared.start if fault == "killed" else shared.go_on)()
    wait_for(lambda: Visitor().client.post("/join/tables/", {"sample": "yes"}).status_code == 303)
