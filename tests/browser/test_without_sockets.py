"""Pages without a WebSocket: they poll, and without JavaScript it refreshes itself. The promise is the same.

A look counts for POLL_TTL. A page that polls says goodbye by a request of its own; one without JavaScript has none:
when it is gone, its key has to run out first.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from queueing import stats
from queueing.line import clients, keys
from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Reason, Status
from queueing.testing.presence import go, watch_since
from tests.support import probe
from tests.support.browser.patience import LONG_GRACES, pass_deadline
from tests.support.browser.proxy import Proxy
from tests.support.browser.site import FIRST_POLL, Site, join
from tests.support.entries import end_is_seen, status_of
from tests.support.probe import entered, hold
from tests.support.processes import horse_of, is_dead
from tests.support.visitors import presence_of
from tests.support.waiting import wait_for

Visitors = Callable[..., Page]

# When the page tried a socket, by its own clock.
NOTE_ATTEMPTS = """
window.attempts = [];
window.WebSocket = class extends WebSocket {
  constructor(...given) { attempts.push(performance.now()); super(...given); }
};
"""


@pytest.fixture
def quick(settings: Any) -> dict[str, float]:
    settings.QUEUEING = LONG_GRACES
    return LONG_GRACES


@pytest.fixture
def swallowing(site: Site) -> Iterator[Proxy]:
    """The same, but a socket hangs for ever instead of being refused."""
    made = Proxy(site.port, websockets="ignored")
    yield made
    made.stop()


@pytest.fixture
def plain(visitors: Visitors) -> Page:
    """A visitor whose browser runs no JavaScript."""
    return visitors(java_script_enabled=False)


@pytest.mark.slow
def test_pages_without_sockets_or_javascript_get_progress_and_result(
    site: Site, visitors: Visitors, refusing: Proxy, swallowing: Proxy, plain: Page
) -> None:
    """Polling takes over within 5 s, a page without JavaScript refreshes itself; progress and result come to all."""
    pages = {"refused": visitors(refusing.url), "swallowed": visitors(swallowing.url)}
    for page in pages.values():
        page.add_init_script(NOTE_ATTEMPTS)
    pages["plain"] = plain
    entries = [join(page, label) for label, page in pages.items()]
    gates = [hold(label) for label in pages]
    for _ in entries:
        site.processes.worker()
    for label in ("refused", "swallowed"):
        first = wait_for(partial(pages[label].evaluate, FIRST_POLL))
        assert first - pages[label].evaluate("attempts[0]") <= 5000
    for page in pages.values():
        expect(page.locator("progress[value]")).to_be_visible(timeout=30_000)
    for gate in gates:
        gate.unlink()
    for page in pages.values():
        expect(page.locator("#headline")).to_have_text("Here is your result", timeout=30_000)
    assert [status_of(entry) for entry in entries] == [Status.SUCCEEDED] * 3
    wait_for(lambda: all(map(end_is_seen, entries)))
    numbers = stats.line_stats("probe")
    assert numbers.goodput > 0
    assert (numbers.not_seen_yet, numbers.waste) == (0, 0)
    assert sorted(probe.calls()) == sorted(pages)


def test_without_javascript_one_can_leave_join_again_keep_the_place_and_stop(
    site: Site, plain: Page, line: Line
) -> None:
    left = join(plain, "plain")
    plain.get_by_role("button", name="Leave the line").click()
    expect(plain.locator("#headline")).to_have_text("You left the line")
    assert status_of(left) == Status.CANCELLED

    plain.get_by_role("button", name="Join again with the same file").click()
    expect(plain.locator("#headline")).to_have_text("You are next")
    entry = Entry.objects.latest("id")
    assert plain.url.rstrip("/").endswith(str(entry.code))
    assert entry.kwargs == left.kwargs
    plain.get_by_role("button", name="Keep my place for 30 minutes").click()
    expect(plain.get_by_text("You may go away: your place is kept for 30 minutes.")).to_be_visible()
    go(entry)
    wait_for(lambda: line.held_ids() == [entry.job_id])
    pass_deadline(line, left)  # the clocks of an ordinary absence are over; this place has one of its own
    plain.goto("/")
    plain.get_by_role("region", name="Your places").get_by_role("link", name="Probe").click()
    expect(plain.locator("#headline")).to_have_text("You are next")
    wait_for(lambda: line.ids() == [entry.job_id])

    stop(site, plain, entry, see=plain.reload)


def test_a_polling_page_keeps_its_place_through_reloads_tabs_and_absences(
    site: Site, visitors: Visitors, refusing: Proxy, line: Line
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
    wait_for(lambda: line.ids() == [entry.job_id, stays.job_id])

    # Of two tabs one is enough: a key that is gone comes back with its next poll.
    second = page.context.new_page()
    second.goto(page.url)
    page.close()
    clients.connection().delete(keys.PRESENCE.format(job_id=entry.job_id))
    wait_for(lambda: presence_of(entry))
    wait_for(lambda: line.ids() == [entry.job_id, stays.job_id])

    # Away: its goodbye is a request of its own, and it is passed over at once.
    assert 0 < presence_of(entry) <= LONG_GRACES["POLL_TTL"]
    second.goto("/")
    wait_for(lambda: line.held_ids() == [entry.job_id])
    assert presence_of(entry) == 0
    still_busy = hold("stayer")
    gate.unlink()
    wait_for(lambda: entered("stayer"))

    # Back: live again by itself, in the old place.
    second.go_back()
    wait_for(lambda: line.ids() == [entry.job_id])
    expect(second.locator("#headline")).to_have_text("You are next")

    # Away for too long: told so.
    second.goto("/")
    wait_for(lambda: line.held_ids() == [entry.job_id])
    pass_deadline(line, entry)
    wait_for(lambda: status_of(entry) == Status.ABANDONED)
    assert entry.reason == Reason.CLOSED
    second.go_back()
    expect(second.locator("#headline")).to_have_text("Your place has passed")
    still_busy.unlink()
    wait_for(lambda: status_of(stays) == Status.SUCCEEDED)
    assert probe.calls() == ["busy", "stayer"]


@pytest.mark.slow
def test_a_polling_page_notices_that_it_is_cut_off(site: Site, visitors: Visitors, refusing: Proxy, line: Line) -> None:
    """The page's own clock is moved to its next poll; that this one gets no answer takes it eight real seconds."""
    page, other = visitors(refusing.url), visitors(refusing.url)
    page.clock.install()
    entry, late = join(page, "cut"), join(other, "late")
    expect(other.locator("#headline")).to_have_text("2nd in line")
    banner = page.locator("#connection")
    refusing.cut()
    began = page.evaluate("performance.now()")
    page.clock.run_for(5_000)
    expect(banner).to_contain_text("Your place is kept for 1:", timeout=40_000)
    assert page.evaluate("performance.now()") - began < 25_000
    for there in (entry, late):
        go(there)
    wait_for(lambda: line.held_ids() == [entry.job_id, late.job_id])
    pass_deadline(line, late)
    wait_for(lambda: status_of(late) == Status.ABANDONED)
    assert late.reason == Reason.LOST

    # Warned in time, then the honest end of the countdown. Back by one key.
    page.clock.run_for(95_000)
    expect(banner).to_have_class(re.compile("urgent"))
    left = re.search(r"Your place is kept for 0:(\d\d)\.", banner.inner_text())
    assert left
    assert int(left[1]) < 25
    page.clock.run_for(30_000)
    expect(banner).to_contain_text("Your place may have passed.")
    refusing.mend()
    page.keyboard.press("Escape")
    page.clock.run_for(5_000)
    wait_for(lambda: line.ids() == [entry.job_id])
    expect(banner).to_be_hidden(timeout=30_000)
    expect(page.locator("#headline")).to_have_text("You are next")
    # Too late: told so.
    expect(other.locator("#headline")).to_have_text("Your place has passed", timeout=30_000)
    other.get_by_role("button", name="Join again with the same file").click()
    expect(other.locator("#headline")).to_have_text("2nd in line")
    assert Entry.objects.latest("id").kwargs == late.kwargs
    other.get_by_role("button", name="Leave the line").click()
    expect(other.locator("#headline")).to_have_text("You left the line")

    # The site is deployed anew: told, and back in place.
    watch_since(1000)
    site.web.terminate()
    site.web.wait(20)
    page.clock.run_for(5_000)
    expect(banner).to_contain_text("Your place is kept for 1:", timeout=30_000)
    go(entry)
    wait_for(lambda: line.held_ids() == [entry.job_id])
    site.web = site.start_web()
    page.clock.run_for(5_000)
    wait_for(lambda: line.ids() == [entry.job_id])
    expect(banner).to_be_hidden(timeout=30_000)

    stop(site, page, entry, see=lambda: page.clock.run_for(5_000))


def stop(site: Site, page: Page, entry: Entry, see: Callable[[], object]) -> None:
    """A worker takes the entry up, the page comes to `see` it, and its visitor stops it."""
    label = entry.kwargs["label"]
    gate = hold(label)
    horse = horse_of(site.processes.worker())
    wait_for(lambda: entered(label))
    see()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#headline")).to_have_text("Stopped")
    assert status_of(entry) == Status.CANCELLED
    wait_for(lambda: is_dead(horse))
    assert gate.exists()  # which would have kept it working
