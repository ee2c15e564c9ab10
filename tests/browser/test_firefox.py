"""The same promise in Firefox: reloads, another page and Back, a closed tab. Debian's firefox-esr, over BiDi."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from queueing.line import LineQueue
from queueing.models import Entry
from queueing.states import Reason, Status
from tests import probe
from tests.browser.conftest import Site
from tests.browser.patience import LONG_GRACES, pass_deadline
from tests.browser.remote import Remote, RemoteError, start
from tests.conftest import wait_for
from tests.test_worker import entered, hold, status_of
from tests.visitors import Visitor, url


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

    def headline(self) -> Any:
        """None where there is none, and between two pages."""
        try:
            return self.evaluate("document.getElementById('headline')?.textContent")
        except RemoteError:
            return None


Visit = Callable[..., tuple[Entry, FirefoxPage]]


@pytest.fixture
def quick(settings: Any) -> dict[str, float]:
    settings.QUEUEING = LONG_GRACES
    return LONG_GRACES


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    if path is None:
        pytest.skip("Firefox is not installed; on Debian: apt-get install firefox-esr")
    folder: Path = tmp_path_factory.mktemp("firefox")
    command = [path, "--headless", "--no-remote", "--profile", str(folder), "--remote-debugging-port=0", "about:blank"]
    with start(command, folder / "firefox.log", "/session") as remote:
        remote.call("session.new", capabilities={})
        yield remote


@pytest.fixture
def visit(firefox: Remote, site: Site) -> Visit:
    def make(label: str) -> tuple[Entry, FirefoxPage]:
        visitor = Visitor()
        entry = visitor.join(label=label)
        return entry, FirefoxPage(firefox, site.url + url(entry), visitor)

    return make


def test_it_works(site: Site, visit: Visit, line: LineQueue) -> None:
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
        wait_for(lambda: line.get_job_ids() == order)

    page.goto(f"{site.url}/")
    wait_for(lambda: line.held_ids() == [entry.job_id])
    wait_for(lambda: other.headline() == "You are next")
    page.call("traverseHistory", delta=-1)
    wait_for(lambda: line.get_job_ids() == order)
    wait_for(lambda: page.headline() == "You are next")
    wait_for(lambda: other.headline() == "2nd in line")

    page.call("close")
    wait_for(lambda: line.held_ids() == [entry.job_id])
    gate.unlink()
    wait_for(lambda: other.headline() == "Here is your result")
    pass_deadline(line, entry)
    wait_for(lambda: status_of(entry) == Status.ABANDONED)
    assert entry.reason == Reason.CLOSED
    assert probe.calls() == ["busy", "behind"]
