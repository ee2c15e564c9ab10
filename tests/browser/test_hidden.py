"""Tabs that nobody looks at: hidden, slowed down, frozen. The server's side of the socket keeps them present.

A hidden tab's timers fire once a second here, and after some minutes would once a minute. That last step is not waited
for: a frozen page, in which no timer fires at all, shows more.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from queueing import services
from queueing.line import LineQueue
from queueing.models import Entry
from queueing.states import Status
from tests import probe
from tests.browser.conftest import Site
from tests.browser.proxy import Proxy
from tests.browser.remote import Remote, Tab, start_chromium
from tests.conftest import QUICK, wait_for, watch_since
from tests.test_worker import status_of, stay
from tests.visitors import Visitor, presence_of, url

# Here every time has to pass, and a beat may be late on a busy machine.
CLOCKS = QUICK | {"PRESENCE_TTL": 3, "LOST_GRACE": 3}
EVERY_TTL = 7  # PRESENCE_TTL and LOST_GRACE, one after the other; POLL_TTL ends with the socket's first beat

COUNT_TICKS = """
window.ticks = []; window.events = [];
for (const name of ["freeze", "resume"]) document.addEventListener(name, () => events.push(name));
setInterval(() => ticks.push(performance.now()), 100);
"""

Visit = Callable[..., tuple[Entry, Tab]]


@pytest.fixture
def quick(settings: Any) -> dict[str, float]:
    settings.QUEUEING = CLOCKS
    return CLOCKS


@pytest.fixture
def chromium(browser_type_launch_args: dict[str, Any], tmp_path: Path) -> Iterator[Remote]:
    with start_chromium(browser_type_launch_args["executable_path"], tmp_path) as remote:
        yield remote


@pytest.fixture
def visit(site: Site, chromium: Remote) -> Visit:
    """A new visitor with a place, and the tab with the page."""

    def make(address: str = "") -> tuple[Entry, Tab]:
        visitor = Visitor()
        entry = visitor.join(label="visitor")
        tab = Tab(chromium, (address or site.url) + url(entry), visitor)
        wait_for(lambda: 0 < presence_of(entry) <= CLOCKS["PRESENCE_TTL"])  # the socket's, no longer the page view's
        return entry, tab

    return make


def is_there_for(entry: Entry, seconds: float) -> None:
    """The entry is present all the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert 0 < presence_of(entry) <= CLOCKS["PRESENCE_TTL"]
        time.sleep(0.1)


def test_a_hidden_and_a_frozen_page_stay_present(visit: Visit, line: LineQueue) -> None:
    ahead = Visitor().join()
    entry, tab = visit()
    behind = Visitor().join()
    stay(ahead, behind)
    watch_since(1000)
    tab.evaluate(COUNT_TICKS)
    tab.hide()
    hidden = tab.evaluate("ticks.length")
    is_there_for(entry, EVERY_TTL)
    gaps = tab.evaluate(f"ticks.slice({hidden} + 2).map((tick, i, all) => i ? tick - all[i - 1] : 1000)")
    assert gaps
    assert min(gaps) > 900, gaps  # ten times as slow as asked for: the browser holds it back
    assert tab.text("#headline") == "2nd in line"

    tab.freeze()
    wait_for(lambda: tab.evaluate("events.join()") == "freeze")
    services.leave(ahead)
    is_there_for(entry, EVERY_TTL)
    assert tab.text("#headline") == "2nd in line"  # nothing runs in it
    assert list(entry.events.all()) == []  # never held until here
    watch_since(-60)  # from now on a slow machine may take its time
    tab.resume()
    wait_for(lambda: tab.text("#headline") == "You are next")
    # Chromium ends the socket of a page that it thaws (1001): held for a moment, and back in the very same place.
    wait_for(lambda: line.get_job_ids() == [entry.job_id, behind.job_id])
    assert status_of(entry) == Status.WAITING


def test_a_frozen_page_that_lost_its_connection_is_back_in_place(visit: Visit, proxy: Proxy, line: LineQueue) -> None:
    """A phone asleep."""
    entry, tab = visit(proxy.url)
    behind, _ = visit()
    watch_since(-60)  # nobody is dropped, however slow the machine is
    tab.hide()
    tab.freeze()
    proxy.cut()
    wait_for(lambda: line.held_ids() == [entry.job_id])
    assert line.get_job_ids() == [behind.job_id]
    proxy.mend()
    assert line.held_ids() == [entry.job_id]
    tab.resume()
    wait_for(lambda: line.get_job_ids() == [entry.job_id, behind.job_id])
    wait_for(lambda: tab.text("#headline") == "You are next")
    assert probe.calls() == []
