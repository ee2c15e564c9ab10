"""Where no WebSocket comes through the page polls, and without JavaScript it refreshes itself. The promise is the same.

A look counts for POLL_TTL, and such a page has no goodbye: when it is gone, its key has to run out first.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from queueing import keys
from queueing.line import LineQueue
from queueing.states import Reason, Status
from tests import probe
from tests.browser.conftest import Site, join
from tests.browser.patience import LONG_GRACES, pass_deadline
from tests.browser.proxy import Proxy
from tests.conftest import go, wait_for
from tests.test_worker import entered, hold, status_of
from tests.visitors import presence_of

Visitors = Callable[..., Page]

# When the page first tried a socket, and when it first polled, by its own clock.
NOTE_ATTEMPTS = """
window.attempts = [];
window.WebSocket = class extends WebSocket {
  constructor(...given) { attempts.push(performance.now()); super(...given); }
};
"""
FIRST_POLL = "performance.getEntriesByType('resource').find(({name}) => name.includes('status.json'))?.startTime"


@pytest.fixture
def quick(settings: Any) -> dict[str, float]:
    settings.QUEUEING = LONG_GRACES
    return LONG_GRACES


@pytest.fixture
def refusing(site: Site) -> Iterator[Proxy]:
    """A way to the site that lets no WebSocket through."""
    made = Proxy(site.port, websockets="refused")
    yield made
    made.stop()


@pytest.fixture
def swallowing(site: Site) -> Iterator[Proxy]:
    """The same, but a socket hangs for ever instead of being refused."""
    made = Proxy(site.port, websockets="ignored")
    yield made
    made.stop()


@pytest.fixture
def without_javascript(site: Site, browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    yield context
    context.close()


def test_it_works(
    site: Site, visitors: Visitors, refusing: Proxy, swallowing: Proxy, without_javascript: BrowserContext
) -> None:
    """Polling takes over within 5 s, a page without JavaScript refreshes itself; progress and result come to all."""
    pages = {"refused": visitors(refusing.url), "swallowed": visitors(swallowing.url)}
    for page in pages.values():
        page.add_init_script(NOTE_ATTEMPTS)
    pages["plain"] = without_javascript.new_page()
    entries = [join(page, label) for label, page in pages.items()]
    gates = [hold(label) for label in pages]
    for _ in entries:
        site.processes.worker()
    for label in ("refused", "swallowed"):
        first = wait_for(lambda page=pages[label]: page.evaluate(FIRST_POLL))
        assert first - pages[label].evaluate("attempts[0]") <= 5000
    for page in pages.values():
        expect(page.locator("progress[value]")).to_be_visible(timeout=30_000)
    for gate in gates:
        gate.unlink()
    for page in pages.values():
        expect(page.locator("#headline")).to_have_text("Here is your result", timeout=30_000)
    assert [status_of(entry) for entry in entries] == [Status.SUCCEEDED] * 3
    assert sorted(probe.calls()) == sorted(pages)


def test_without_javascript_one_can_leave(without_javascript: BrowserContext) -> None:
    page = without_javascript.new_page()
    entry = join(page, "leaver")
    page.get_by_role("button", name="Leave the line").click()
    expect(page.locator("#headline")).to_have_text("You left the line")
    assert status_of(entry) == Status.CANCELLED


def test_a_polling_page_keeps_its_place_through_reloads_tabs_and_absences(
    site: Site, visitors: Visitors, refusing: Proxy, line: LineQueue
) -> None:
    busy, stayer, page = visitors(), visitors(), visitors(refusing.url)
    gate = hold("busy")
    site.processes.worker()
    join(busy, "busy")
    wait_for(lambda: entered("busy"))
    entry = join(page, "poller")
    stays = join(stayer, "stayer")
    for _ in range(5):
        page.reload()
        expect(page.locator("#headline")).to_have_text("You are next")
    wait_for(lambda: line.get_job_ids() == [entry.job_id, stays.job_id])

    # Of two tabs one is enough: a key that is gone comes back with its next poll.
    second = page.context.new_page()
    second.goto(page.url)
    page.close()
    keys.connection().delete(keys.PRESENCE.format(job_id=entry.job_id))
    wait_for(lambda: presence_of(entry))
    wait_for(lambda: line.get_job_ids() == [entry.job_id, stays.job_id])

    # Away: passed over as soon as the key has run out, which it does POLL_TTL after the last poll.
    second.goto("/")
    assert 0 < presence_of(entry) <= LONG_GRACES["POLL_TTL"]
    go(entry)
    wait_for(lambda: line.held_ids() == [entry.job_id])
    still_busy = hold("stayer")
    gate.unlink()
    wait_for(lambda: entered("stayer"))

    # Back: live again by itself, in the old place.
    second.go_back()
    wait_for(lambda: line.get_job_ids() == [entry.job_id])
    expect(second.locator("#headline")).to_have_text("You are next")

    # Away for too long: told so.
    second.goto("/")
    go(entry)
    wait_for(lambda: line.held_ids() == [entry.job_id])
    pass_deadline(line, entry)
    wait_for(lambda: status_of(entry) == Status.ABANDONED)
    assert entry.reason == Reason.LOST
    second.go_back()
    expect(second.locator("#headline")).to_have_text("Your place has passed")
    still_busy.unlink()
    wait_for(lambda: status_of(stays) == Status.SUCCEEDED)
    assert probe.calls() == ["busy", "stayer"]


def test_a_polling_page_notices_that_it_is_cut_off(visitors: Visitors, refusing: Proxy, line: LineQueue) -> None:
    """The page's own clock is moved to its next poll; that this one gets no answer takes it eight real seconds."""
    page = visitors(refusing.url)
    page.clock.install()
    entry = join(page, "cut")
    refusing.cut()
    began = page.evaluate("performance.now()")
    page.clock.run_for(5_000)
    expect(page.locator("#connection")).to_contain_text("Your place is kept for 1:", timeout=40_000)
    assert page.evaluate("performance.now()") - began < 25_000
    go(entry)
    wait_for(lambda: line.held_ids() == [entry.job_id])
    refusing.mend()
    page.clock.run_for(10_000)
    wait_for(lambda: line.get_job_ids() == [entry.job_id])
    expect(page.locator("#connection")).to_be_hidden(timeout=30_000)
    expect(page.locator("#headline")).to_have_text("You are next")
