"""The same promise in Firefox: reloads, another page and Back, a closed tab. Debian's firefox-esr, over BiDi."""

import re
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Reason, Status
from queueing.testing.presence import go
from tests.support import probe
from tests.support.browser.console import TELL_VIOLATIONS
from tests.support.browser.patience import LONG_GRACES, pass_deadline
from tests.support.browser.remote import Remote, RemoteError, start
from tests.support.browser.site import Site
from tests.support.entries import status_of
from tests.support.probe import entered, hold
from tests.support.processes import horse_of, is_dead
from tests.support.visitors import Visitor, url
from tests.support.waiting import wait_for
from tools import machine

pytestmark = pytest.mark.slow  # the same as in Chromium, once more


class FirefoxPage:
    """A tab, in a profile and session of the visitor's own."""

    def __init__(self, remote: Remote, address: str, visitor: Visitor) -> None:
        self.remote = remote
        self.profile = remote.call("browser.createUserContext")["userContext"]
        self.context = remote.call("browsingContext.create", type="tab", userContext=self.profile)["context"]
        name, _, value = visitor.cookie.partition("=")
        remote.call(
            "storage.setCookie",
            cookie={"name": name, "value": {"type": "string", "value": value}, "domain": "127.0.0.1"},
            partition={"type": "storageKey", "userContext": self.profile},
        )
        # Firefox keeps to itself what a content security policy forbids, unless the page says it.
        remote.call(
            "script.addPreloadScript",
            functionDeclaration=f"() => {{ {TELL_VIOLATIONS} }}",
            contexts=[self.context],
        )
        self.goto(address)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self.remote.call(f"browsingContext.{method}", context=self.context, **params)

    def goto(self, address: str) -> None:
        self.call("navigate", url=address, wait="complete")

    def evaluate(self, expression: str) -> Any:
        target = {"context": self.context}
        answer = self.remote.call("script.evaluate", expression=expression, target=target, awaitPromise=True)
        if answer["type"] == "exception":
            raise RemoteError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def text(self, selector: str) -> Any:
        """The text shown in that element; None for a missing element, and between two pages."""
        try:
            return self.evaluate(f"document.querySelector('{selector}')?.innerText")
        except RemoteError:
            return None

    def headline(self) -> Any:
        return self.text("#headline")

    def press(self, button: str) -> None:
        self.evaluate(f"[...document.querySelectorAll('button')].find((one) => one.innerText === '{button}').click()")


Visit = Callable[..., tuple[Entry, FirefoxPage]]


@pytest.fixture
def quick(settings: Any) -> dict[str, float]:
    settings.QUEUEING = LONG_GRACES
    return LONG_GRACES


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    folder: Path = tmp_path_factory.mktemp("firefox")
    command = [
        str(machine.FIREFOX.find()),
        "--headless",
        "--no-remote",
        "--profile",
        str(folder),
        "--remote-debugging-port=0",
        "about:blank",
    ]
    with start(command, folder / "firefox.log", "/session") as remote:
        remote.call("session.new", capabilities={})
        remote.call("session.subscribe", events=["log.entryAdded"])
        yield remote
        remote.call("session.status")  # hears what is still on the way
        assert remote.violations == []


@pytest.fixture
def visit(firefox: Remote, site: Site) -> Visit:
    def make(label: str, queue: str = "probe") -> tuple[Entry, FirefoxPage]:
        visitor = Visitor()
        entry = visitor.join(label=label) if queue == "probe" else visitor.join_with_sample(queue)
        return entry, FirefoxPage(firefox, site.url + url(entry), visitor)

    return make


def test_firefox_keeps_the_place_over_reloads_and_back_and_a_closed_tab_ends_presence(
    site: Site, visit: Visit, line: Line
) -> None:
    gate = hold("busy")
    site.processes.worker()
    visit("busy")
    wait_for(lambda: entered("busy"))
    entry, page = visit("wanderer")
    behind, other = visit("behind")
    order = [entry.job_id, behind.job_id]
    for _ in range(5):
        page.call("reload", wait="complete")
        wait_for(lambda: page.headline() == "You are next")
        wait_for(lambda: line.ids() == order)

    page.goto(f"{site.url}/")
    wait_for(lambda: line.held_ids() == [entry.job_id])
    wait_for(lambda: other.headline() == "You are next")
    page.call("traverseHistory", delta=-1)
    wait_for(lambda: line.ids() == order)
    wait_for(lambda: page.headline() == "You are next")
    wait_for(lambda: other.headline() == "2nd in line")

    page.call("close")
    wait_for(lambda: line.held_ids() == [entry.job_id])
    gate.unlink()
    wait_for(lambda: other.headline() == "Here is your result")
    pass_deadline(line, entry)
    wait_for(lambda: status_of(entry) == Status.ABANDONED)
    # Of Firefox's closed tabs about half say goodbye; the others end with 1001, like one that the system has killed.
    assert entry.reason in {Reason.CLOSED, Reason.LOST}
    assert probe.calls() == ["busy", "behind"]


def test_a_lost_connection_a_new_server_leaving_stopping_and_a_result(site: Site, visit: Visit, line: Line) -> None:
    entry, page = visit("stopper")
    leaver, other = visit("leaver")
    order = [entry.job_id, leaver.job_id]
    wait_for(lambda: other.headline() == "2nd in line")
    for end in (signal.SIGTERM, signal.SIGKILL):
        site.web.send_signal(end)
        site.web.wait(20)
        wait_for(lambda: page.evaluate("document.title") == "Connection lost · (1) Probe")
        assert str(page.text("#connection p")).startswith("Connection lost. Your place is kept for 1:")
        go(entry)
        wait_for(lambda: entry.job_id in line.held_ids())
        site.web = site.start_web()
        wait_for(lambda: line.ids() == order)
        wait_for(lambda: page.evaluate("document.title") == "(1) Probe")
        for each in (page, other):
            wait_for(partial(each.evaluate, "document.getElementById('connection').hidden"))

    other.press("Leave the line")
    wait_for(lambda: other.headline() == "You left the line")
    assert status_of(leaver) == Status.CANCELLED
    wait_for(lambda: line.ids() == order[:1])

    gate = hold("stopper")
    worker = site.processes.worker("probe", "tables")
    wait_for(lambda: page.headline() == "Working on stopper")
    horse = horse_of(worker)
    page.press("Stop")
    wait_for(lambda: page.headline() == "Stopped")
    wait_for(lambda: is_dead(horse))
    assert gate.exists()  # which would have kept it working
    assert status_of(entry) == Status.CANCELLED

    _, reader = visit("", "tables")
    wait_for(lambda: reader.headline() == "Here is your result")
    assert re.match(r"2,000 rows, 12 columns\.", reader.text(".result .lead"))
    assert reader.evaluate("document.querySelectorAll('.result svg.chart').length") > 5
