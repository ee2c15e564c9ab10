"""Away to another page, and back with the browser's Back: with the back/forward cache on and off.

As people have it the cache is on, and Chromium does not take the entry's page into it, because the page says no-store
and had a WebSocket: Back loads it anew. Other browsers and later versions may decide otherwise. So in the other two
cases no-store is left out on the way: with the cache the page is then restored as it was left, scripts and all and
without any request; with the cache switched off it is loaded.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserType, Page, expect

from queueing.line.places import Line
from queueing.states import Reason, Status
from tests.support import probe
from tests.support.browser.patience import LONG_GRACES, pass_deadline
from tests.support.browser.site import Site, join
from tests.support.entries import end_is_seen, status_of
from tests.support.probe import entered, hold
from tests.support.slow import slow
from tests.support.visitors import presence_of
from tests.support.waiting import wait_for

Visitors = Callable[..., Page]

ENTRY_PAGE = re.compile(r"/entry/[0-9a-f-]+/$")
NOTE_HOW = "addEventListener('pageshow', (event) => { window.restored = event.persisted })"


@pytest.fixture
def quick(settings: Any) -> dict[str, float]:
    settings.QUEUEING = LONG_GRACES
    return LONG_GRACES


@pytest.fixture(scope="module")
def without_cache(browser_type: BrowserType, browser_type_launch_args: dict[str, Any]) -> Iterator[Browser]:
    """Another browser, with what Playwright says unless told otherwise: --disable-back-forward-cache."""
    launched = browser_type.launch(**browser_type_launch_args | {"ignore_default_args": None})
    yield launched
    launched.close()


@pytest.fixture(params=["on", *slow("restoring", "off")])
def cache(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def page(cache: str, visitors: Visitors, request: pytest.FixtureRequest) -> Page:
    options: dict[str, Any] = {}
    if cache == "off":
        options["launched"] = request.getfixturevalue("without_cache")
    if cache != "on":
        proxy = request.getfixturevalue("proxy")
        proxy.said_instead = {b", no-store": b""}
        options["url"] = proxy.url
    made = visitors(**options)
    made.add_init_script(NOTE_HOW)
    return made


def go_away(page: Page) -> None:
    page.goto("/")


def go_back(page: Page, cache: str) -> None:
    """Playwright's own waits for a load, and a page that is restored has none."""
    page.evaluate("setTimeout(() => history.back())")  # the answer comes before the page goes
    page.wait_for_url(ENTRY_PAGE, wait_until="commit")
    wait_for(lambda: page.evaluate("window.restored") is (cache == "restoring"))


def test_a_page_brought_back_in_time_is_live_in_its_old_place(
    cache: str, page: Page, site: Site, line: Line, visitors: Visitors
) -> None:
    """Away: no work starts, others pass. Back in time: live again by itself, in the old place."""
    busy, stayer = visitors(), visitors()
    gate = hold("busy")
    site.processes.worker()
    join(busy, "busy")
    wait_for(lambda: entered("busy"))
    entry = join(page, "wanderer")
    join(stayer, "stayer")
    expect(stayer.locator("#headline")).to_have_text("2nd in line")
    go_away(page)
    wait_for(lambda: line.held_ids() == [entry.job_id])
    still_busy = hold("stayer")
    gate.unlink()
    wait_for(lambda: entered("stayer"))
    assert status_of(entry) == Status.WAITING
    go_back(page, cache)
    wait_for(lambda: line.ids() == [entry.job_id])
    expect(page.locator("#headline")).to_have_text("You are next")
    expect(page.locator("#connection")).to_be_hidden()
    still_busy.unlink()
    expect(page.locator("#headline")).to_have_text("Here is your result", timeout=30_000)  # pushed, so it is live
    wait_for(lambda: end_is_seen(entry))
    assert probe.calls() == ["busy", "stayer", "wanderer"]


def test_back_after_the_grace_the_place_has_passed_and_the_input_is_kept(cache: str, page: Page, line: Line) -> None:
    entry = join(page, "wanderer")
    # Its socket is there: one that is cut off while it opens tells the server nothing of a goodbye.
    wait_for(lambda: 0 < presence_of(entry) <= LONG_GRACES["PRESENCE_TTL"])
    go_away(page)
    wait_for(lambda: line.held_ids() == [entry.job_id])
    pass_deadline(line, entry)
    wait_for(lambda: status_of(entry) == Status.ABANDONED)
    assert entry.reason == Reason.CLOSED
    assert not end_is_seen(entry)
    go_back(page, cache)
    expect(page.locator("#headline")).to_have_text("Your place has passed")
    wait_for(lambda: end_is_seen(entry))  # noted behind its frame
    page.get_by_role("button", name="Join again with the same file").click()
    expect(page.locator("#headline")).to_have_text("You are next")
    new = type(entry).objects.latest("id")
    assert (new.kwargs, new.input_name) == (entry.kwargs, entry.input_name)
    assert page.url.rstrip("/").endswith(str(new.code))
    wait_for(lambda: line.ids() == [new.job_id])
    assert probe.calls() == []
