"""Tabs that nobody looks at: hidden, slowed down, frozen. The server's side of the socket keeps them present, and a
page that polls goes on with it. Their title and icon tell what there is to know.

A hidden tab's timers fire once a second. Where the page has no socket the browser lets most of them fire only once a
minute after a while. In a frozen page none fires at all.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from queueing import ending
from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Status
from queueing.testing.presence import go, stay
from tests.support import probe
from tests.support.browser.proxy import Proxy
from tests.support.browser.remote import Remote, Tab, start_chromium
from tests.support.browser.site import FIRST_POLL, Site
from tests.support.clocks import QUICK
from tests.support.entries import end_is_seen, status_of
from tests.support.probe import entered, hold
from tests.support.visitors import Visitor, presence_of, url
from tests.support.waiting import wait_for

# Here every presence has to run out, a beat may be late on a busy machine, and nobody is dropped, however slow it is.
CLOCKS = QUICK | {"PRESENCE_TTL": 3, "POLL_TTL": 11, "CLOSE_GRACE": 60, "LOST_GRACE": 60}
# Longer than all of that, and than the 22 s after which a page doubts a silent socket. A page that polls by a chain of
# timers is let go on for five links of it, which is over by then too: afterwards it would see one change in a minute.
LONG = 23

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


@pytest.fixture(scope="module")
def started(browser_type_launch_args: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    with start_chromium(browser_type_launch_args["executable_path"], tmp_path_factory.mktemp("chromium")) as remote:
        yield remote


@pytest.fixture
def chromium(started: Remote) -> Iterator[Remote]:
    yield started
    assert started.violations == []


@pytest.fixture
def visit(site: Site, chromium: Remote) -> Visit:
    """A new visitor with a place, and the tab with the page, by its socket or where it has none by its polls."""

    def make(label: str, address: str = "", *, polls: bool = False) -> tuple[Entry, Tab]:
        visitor = Visitor()
        entry = visitor.join(label=label)
        tab = Tab(chromium, (address or site.url) + url(entry), visitor)
        if polls:
            wait_for(lambda: tab.evaluate(FIRST_POLL))
        else:
            wait_for(lambda: 0 < presence_of(entry) <= CLOCKS["PRESENCE_TTL"])  # no longer the page view's
        return entry, tab

    return make


def shows(tab: Tab, title: str, letters: str) -> bool:
    return tab.shown() == (title, letters)


def slow_down(tab: Tab) -> None:
    """Hide the tab, and wait until its timers fire only once a minute.

    The browser is told to begin with that after a second (see `start_chromium`). It does so if the page is hidden while
    it still loads; otherwise it waits for a minute. A tab that was hidden too late is hidden again.
    """
    for _ in range(5):
        tab.reload()
        tab.hide()
        tab.evaluate(COUNT_TICKS)
        with contextlib.suppress(AssertionError):
            wait_for(lambda: tab.evaluate("performance.now() - ticks.at(-1) > 3_000"), 12)
            return
    pytest.fail("The browser does not hold back the timers of this tab")


@pytest.mark.slow
def test_hidden_tabs_stay_present_and_tell_how_it_goes_on(
    visit: Visit, refusing: Proxy, site: Site, line: Line
) -> None:
    """Hidden for longer than every time there is, a page with a socket, one that polls and one that is frozen are
    present all the while. Then the tabs tell how it goes on, still hidden."""
    ahead = Visitor().join()
    stay(ahead)
    entry, tab = visit("entry")
    polling, poller = visit("polling", refusing.url, polls=True)
    cold, frozen = visit("cold")
    behind = Visitor().join()
    stay(behind)
    wait_for(lambda: tab.shown() == ("(2) Probe", "2"))
    for each in (tab, frozen):
        each.evaluate(COUNT_TICKS)
        each.hide()
    frozen.freeze()
    wait_for(lambda: frozen.evaluate("events.join()") == "freeze")
    slow_down(poller)
    wait_for(lambda: presence_of(polling))  # back from the last reload, whose goodbye held it for a moment
    hidden, since = time.monotonic(), timezone.now()
    while time.monotonic() < hidden + LONG:
        for there in (entry, cold):
            assert 0 < presence_of(there) <= CLOCKS["PRESENCE_TTL"]
        assert presence_of(polling)
        time.sleep(0.1)
    gap = tab.evaluate("(ticks.at(-1) - ticks.at(-20)) / 19")  # after a late tick the next one comes sooner
    assert gap > 900  # milliseconds: ten times as slow as asked for
    late = poller.evaluate("ticks.filter((tick) => tick > performance.now() - 20_000).length")
    assert late < 5, late  # of two hundred
    ending.leave(ahead)
    wait_for(lambda: tab.shown() == ("(1) Probe", "1"))
    wait_for(lambda: poller.shown() == ("(2) Probe", "2"))
    assert frozen.shown() == ("(4) Probe", "4")  # nothing runs in it
    for there in (entry, polling, cold):
        assert list(there.events.filter(at__gt=since)) == []  # never held until here

    frozen.resume()
    # Chromium ends the socket of a page that it thaws (1001): held for a moment, and back in the very same place.
    wait_for(lambda: frozen.shown() == ("(3) Probe", "3"))
    wait_for(lambda: line.ids() == [there.job_id for there in (entry, polling, cold, behind)])

    gate = hold("entry")
    site.processes.worker()
    wait_for(lambda: entered("entry"))
    wait_for(lambda: tab.shown() == ("50% Probe", "50"))  # what a probe that is held reports
    gate.unlink()
    for each in (tab, poller, frozen):
        wait_for(partial(shows, each, "✓ Probe", "✓"))
        assert each.evaluate("document.visibilityState") == "hidden"
    wait_for(lambda: all(map(end_is_seen, (entry, polling, cold))))


@pytest.mark.slow
def test_a_frozen_page_that_was_away_is_back_in_place(visit: Visit, proxy: Proxy, refusing: Proxy, line: Line) -> None:
    """A phone asleep, with a socket and without one."""
    entry, tab = visit("entry", proxy.url)
    polling, poller = visit("polling", refusing.url, polls=True)
    behind, other = visit("behind")
    order = [entry.job_id, polling.job_id, behind.job_id]
    for each in (tab, poller):
        each.hide()
        each.freeze()
    proxy.cut()
    time.sleep(1)
    go(polling)  # its time runs out
    wait_for(lambda: line.held_ids() == order[:2])
    wait_for(lambda: other.shown() == ("(1) Probe", "1"))
    proxy.mend()
    assert line.held_ids() == order[:2]
    for each in (tab, poller):
        each.resume()
    wait_for(lambda: line.ids() == order)
    for number, each in enumerate((tab, poller, other), 1):
        wait_for(partial(shows, each, f"({number}) Probe", str(number)))

    # Awake, but hidden: a connection that is lost is told by the tab too.
    proxy.sever()
    wait_for(lambda: tab.shown() == ("Connection lost · (1) Probe", "!"))
    proxy.mend()
    wait_for(lambda: tab.shown() == ("(1) Probe", "1"))
    wait_for(lambda: line.ids() == order)
    assert [status_of(there) for there in (entry, polling, behind)] == [Status.WAITING] * 3
    assert probe.calls() == []
