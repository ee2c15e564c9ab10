"""Presence in a real Chromium: reloads, closed and duplicated tabs, and connections that are lost."""

import contextlib
import re
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Error, Locator, Page, Route, expect

from queueing.line import clients, keys
from queueing.line.places import Line
from queueing.models import Entry, EntryEvent
from queueing.states import Reason, Status
from queueing.testing.presence import stay, watch_since
from tests.support import probe
from tests.support.browser.patience import LONG_GRACES, REAL_GRACES, pass_deadline
from tests.support.browser.proxy import Proxy
from tests.support.browser.site import Site, join
from tests.support.entries import status_of
from tests.support.probe import entered, hold
from tests.support.waiting import wait_for

Visitors = Callable[..., Page]
Join = Callable[..., Entry]

ENTRY_SCRIPT = re.compile(r"/entry/main\.js$")


@pytest.fixture
def quick(settings: Any, request: pytest.FixtureRequest) -> dict[str, float]:
    """Graces that no slow machine outlasts; where one has to pass, the test moves the deadline."""
    settings.QUEUEING = getattr(request, "param", LONG_GRACES)
    return dict(settings.QUEUEING)


def has_order(line: Line, order: list[str]) -> bool:
    return line.ids() == order


def is_beyond(bar: Locator, value: float) -> bool:
    return float(bar.get_attribute("value") or "") > value


def has_come(page: Page, caught: list[Route]) -> bool:
    """Playwright hands out the requests that it caught while the test's thread is with it."""
    page.wait_for_timeout(1)
    return bool(caught)


def is_abandoned(entry: Entry) -> bool:
    return status_of(entry) == Status.ABANDONED


@pytest.fixture(name="arrive")
def arrive_fixture(join: Join) -> Join:
    """Somebody whose page is not the subject: an entry that stays present without one."""

    def make(label: str, **options: Any) -> Entry:
        entry = join(label, **options)
        stay(entry)
        return entry

    return make


@pytest.fixture
def busy(site: Site, arrive: Join) -> Any:
    """The only worker is busy, for as long as the returned file is there."""
    gate = hold("busy")
    arrive("busy")
    site.processes.worker()
    wait_for(lambda: entered("busy"))
    return gate


def kinds(entry: Entry) -> list[str]:
    return list(entry.events.values_list("kind", flat=True))


# Reloads


@pytest.mark.parametrize("quick", [REAL_GRACES], indirect=True)
def test_reloads_keep_the_place_and_an_absence_beyond_the_grace_loses_it(
    busy: Any, arrive: Join, visitors: Visitors, line: Line
) -> None:
    """Twenty reloads, and each time it is the same place. Whoever takes longer than the real grace is dropped.

    In each fifth of them the new page's script is kept back, so that the moment without a page lasts. A worker that
    comes free then passes over the page's place.
    """
    before = arrive("before")
    page, kept_back = visitors(), list[Route]()
    entry = join(page, "reloader")
    others = [before, *(arrive(f"other{number}") for number in range(4))]
    score = line.client.zscore(line.keys.line, entry.job_id)
    served, gate = ["busy"], busy
    for number in range(1, 21):
        watch_since(1000)  # nothing forbids to drop
        if number % 5:
            page.reload()
        else:
            page.route(ENTRY_SCRIPT, lambda route: kept_back.append(route))  # noqa: PLW0108  # it sets attributes on it
            page.reload(wait_until="commit")
            wait_for(lambda: line.held_ids() == [entry.job_id])
            watch_since(0)  # this reload takes as long as the worker does: nobody is dropped for a LOST_GRACE
            served.append("before" if number == 5 else f"other{number // 5 - 2}")
            following = hold(served[-1])
            gate.unlink()
            wait_for(lambda: entered(served[-1]))
            assert status_of(entry) == Status.WAITING
            gate = following
            wait_for(partial(has_come, page, kept_back))
            kept_back.pop().continue_()
            page.unroute(ENTRY_SCRIPT)
            others.pop(0)
        order = [other.job_id for other in others]
        order.insert(1 if number < 5 else 0, entry.job_id)
        wait_for(partial(has_order, line, order))
        expect(page.locator("#headline")).to_have_text("2nd in line" if number < 5 else "You are next")
        wait_for(lambda: line.client.zscore(line.keys.line, entry.job_id) == score)
    wait_for(lambda: line.held_ids() == [])
    assert probe.calls() == served == ["busy", "before", "other0", "other1", "other2"]
    assert status_of(entry) == Status.WAITING
    assert set(kinds(entry)) == {EntryEvent.Kind.HELD, EntryEvent.Kind.BACK}
    gate.unlink()
    expect(page.locator("#headline")).to_have_text("Here is your result", timeout=30_000)
    assert probe.calls()[:6] == [*served, "reloader"]


def test_a_reload_while_running_goes_on_where_it_was(site: Site, visitors: Visitors) -> None:
    site.processes.worker()
    page = visitors()
    entry = join(page, "runner", seconds="600")
    bar = page.locator("progress[value]")
    for _ in range(3):
        expect(bar).to_be_visible(timeout=30_000)
        seen = float(bar.get_attribute("value") or "")
        page.reload()
        wait_for(partial(is_beyond, bar, seen))
    assert probe.calls() == ["runner"]
    assert status_of(entry) == Status.RUNNING
    assert entry.attempt == 1
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#headline")).to_have_text("Stopped")


# Tabs


def test_a_visitor_who_closes_the_tab_is_passed_over_and_the_line_moves_up_within_two_seconds(
    busy: Any, arrive: Join, visitors: Visitors, line: Line
) -> None:
    leavers, stayer = [visitors() for _ in range(3)], visitors()
    left = [join(page, f"leaver{number}") for number, page in enumerate(leavers)]
    stays = join(stayer, "stayer")
    expect(stayer.locator("#headline")).to_have_text("4th in line")
    stayer.evaluate(
        """() => { window.moved = []; new MutationObserver(() => moved.push(Date.now())).observe(
        document.getElementById('headline'), {childList: true, characterData: true, subtree: true}) }"""
    )
    delays = []
    for place, page in zip(("3rd in line", "2nd in line", "You are next"), leavers, strict=True):
        closed = time.time()
        page.close()
        expect(stayer.locator("#headline")).to_have_text(place, timeout=15_000)
        delays.append(stayer.evaluate("moved.at(-1)") / 1000 - closed)
    # The median: a machine that is busy elsewhere may add its own time once.
    assert statistics.median(delays) < 2, delays
    held = [entry.job_id for entry in left]
    assert line.held_ids() == held
    # A worker comes free within their grace: those behind are served, and again when there is nobody else.
    busy.unlink()
    wait_for(lambda: status_of(stays) == Status.SUCCEEDED)
    arrive("later")
    wait_for(lambda: entered("later"))
    assert line.held_ids() == held
    assert [status_of(entry) for entry in left] == [Status.WAITING] * 3
    pass_deadline(line, *left)
    for entry in left:
        wait_for(partial(is_abandoned, entry))
        assert entry.reason == Reason.CLOSED
    assert probe.calls() == ["busy", "stayer", "later"]


@pytest.mark.slow
def test_a_tab_that_the_system_has_killed_is_lost_and_not_closed(
    busy: Any, arrive: Join, visitors: Visitors, line: Line
) -> None:
    """Chromium ends its socket with 1001, as of a closed tab; but no page has said goodbye."""
    page = visitors()
    entry = join(page, "killed")
    behind = arrive("behind")
    wait_for(partial(has_order, line, [entry.job_id, behind.job_id]))
    with contextlib.suppress(Error):  # the answer never comes
        page.goto("chrome://crash", timeout=5_000)
    wait_for(lambda: line.held_ids() == [entry.job_id])
    assert line.client.hget(line.keys.absence, entry.job_id) is None  # "closed" would be here
    back = page.context.new_page()
    back.goto(f"/entry/{entry.code}/")
    expect(back.get_by_role("heading", name="You are next")).to_be_visible()
    wait_for(partial(has_order, line, [entry.job_id, behind.job_id]))


@pytest.mark.slow
def test_of_a_duplicated_tab_one_is_enough(busy: Any, arrive: Join, visitors: Visitors, line: Line) -> None:
    first = visitors()
    entry = join(first, "twice")
    behind = arrive("behind")
    first.evaluate("sessionStorage.setItem('copied', 'along')")
    second = first.context.new_page()
    second.add_init_script("sessionStorage.setItem('copied', 'along')")  # as a browser's own "Duplicate" does
    second.goto(first.url)
    for page in (first, second):
        expect(page.locator("#headline")).to_have_text("You are next")
    first.close()
    # Whoever comes now is told of a line in which nothing has changed.
    expect(second.locator("[data-live=detail]")).to_contain_text("Nobody is ahead of you")
    later = visitors()
    join(later, "later")
    expect(later.locator("#headline")).to_have_text("3rd in line")
    assert clients.connection().exists(keys.PRESENCE.format(job_id=entry.job_id))
    assert line.ids()[:2] == [entry.job_id, behind.job_id]
    second.close()
    wait_for(lambda: line.held_ids() == [entry.job_id])
    expect(later.locator("#headline")).to_have_text("2nd in line")
    pass_deadline(line, entry)
    wait_for(lambda: status_of(entry) == Status.ABANDONED)
    assert entry.reason == Reason.CLOSED
    busy.unlink()
    wait_for(lambda: entered("later"))
    assert probe.calls() == ["busy", "behind", "later"]


# The connection


@pytest.mark.slow
def test_a_lost_connection_is_noticed_within_25_seconds_and_the_place_is_kept(
    busy: Any, arrive: Join, visitors: Visitors, proxy: Proxy, line: Line
) -> None:
    """The cable is pulled: nothing is closed, nothing arrives. The page's own clock is moved, not the server's."""
    page, stayer = visitors(proxy.url), visitors()
    page.clock.install()
    cut = join(page, "cut")
    join(stayer, "stayer")
    expect(stayer.locator("#headline")).to_have_text("2nd in line")
    expect(page.locator("#headline")).to_have_text("You are next")
    proxy.cut()
    began = page.evaluate("performance.now()")
    wait_for(lambda: line.held_ids() == [cut.job_id])
    expect(stayer.locator("#headline")).to_have_text("You are next", timeout=15_000)
    expect(stayer.locator("[data-live=detail]")).to_contain_text("1 who is away may return")
    still_busy = hold("stayer")
    busy.unlink()
    wait_for(lambda: entered("stayer"))
    banner = page.locator("#connection")
    page.clock.run_for(max(0, 25_000 - page.evaluate("performance.now()") + began))
    text = banner.inner_text()  # at once, without waiting for it
    assert re.search(r"Connection lost\. Your place is kept for 1:[0-3]\d\.", text)
    assert page.title().startswith("Connection lost")
    page.clock.run_for(2_000)
    assert banner.inner_text() != text
    page.clock.run_for(120_000)
    expect(banner).to_contain_text("Your place may have passed.")
    proxy.mend()
    page.clock.run_for(15_000)  # its next attempt
    wait_for(lambda: line.ids() == [cut.job_id])
    expect(banner).to_be_hidden(timeout=15_000)
    expect(page.locator("#headline")).to_have_text("You are next")
    still_busy.unlink()
    expect(page.locator("#headline")).to_have_text("Here is your result", timeout=30_000)
    assert probe.calls() == ["busy", "stayer", "cut"]


@pytest.mark.slow
def test_a_visitor_who_comes_back_after_the_deadline_is_told_so_and_can_join_again(
    busy: Any, visitors: Visitors, proxy: Proxy, line: Line
) -> None:
    page = visitors(proxy.url)
    entry = join(page, "late")
    expect(page.locator("#headline")).to_have_text("You are next")
    proxy.cut()
    wait_for(lambda: line.held_ids() == [entry.job_id])
    pass_deadline(line, entry)
    wait_for(lambda: status_of(entry) == Status.ABANDONED)
    assert entry.reason == Reason.LOST
    proxy.mend()
    expect(page.locator("#headline")).to_have_text("Your place has passed", timeout=30_000)
    page.get_by_role("button", name="Join again with the same file").click()
    expect(page.locator("#headline")).to_have_text("You are next")
    new = Entry.objects.latest("id")
    assert new.kwargs == {"label": "late"}
    assert page.url.rstrip("/").endswith(str(new.code))
    assert probe.calls() == ["busy"]
