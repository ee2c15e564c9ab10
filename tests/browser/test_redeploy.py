"""The web process is stopped or killed, and started again, under fifty open pages."""

import itertools
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Page

from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Reason, Status
from tests.support import probe
from tests.support.browser.patience import REAL_GRACES
from tests.support.browser.site import Site
from tests.support.entries import status_of
from tests.support.visitors import Visitor, url
from tests.support.waiting import wait_for

# Fifty profiles would be fifty processes of the browser; tabs of one site share a few.
VISITORS, PAGES_EACH = 10, 5

# Seconds from the return of the server until whoever has not come back is dropped. A page tries at least every 10 s.
GRACE = 20

# When the page first heard of the server, when it lost its socket, and when it tried for one: milliseconds since 1970,
# the same for all pages.
NOTE_ATTEMPTS = """
const now = () => performance.timeOrigin + performance.now();
window.attempts = [];
window.opened = window.lost = null;
window.WebSocket = class extends WebSocket {
  constructor(...given) {
    attempts.push(now());
    super(...given);
    this.addEventListener("message", () => { this.heard = true; opened ??= now(); });
    this.addEventListener("close", () => { if (this.heard) { lost = now(); opened = null; } });
  }
};
"""


@pytest.fixture
def quick(settings: Any) -> dict[str, float]:
    settings.QUEUEING = REAL_GRACES | {"LOST_GRACE": GRACE, "MAX_WAITING_PER_VISITOR": PAGES_EACH}
    return dict(settings.QUEUEING)


@pytest.fixture
def pages(site: Site, visitors: Callable[..., Page]) -> list[tuple[Entry, Page]]:
    """Fifty entries in their order and one behind them, each with its open page."""
    opened = []
    for count in [PAGES_EACH] * VISITORS + [1]:
        visitor = Visitor()
        entries = [visitor.join(label="waits") for _ in range(count)]
        first = visitors()
        first.context.add_init_script(NOTE_ATTEMPTS)
        name, _, value = visitor.cookie.partition("=")
        first.context.add_cookies([{"name": name, "value": value, "url": site.url}])
        for entry in entries:
            page = first if entry is entries[0] else first.context.new_page()
            page.goto(url(entry), wait_until="commit")  # the rest while the next ones are opened
            opened.append((entry, page))
    return opened


def headlines(pages: list[tuple[Entry, Page]]) -> list[str]:
    return [page.locator("#headline").inner_text() for _, page in pages]


def wait_for_sockets(pages: list[tuple[Entry, Page]]) -> None:
    """The server speaks to all of them; from here on they note anew when they lose it."""
    for _, page in pages:
        wait_for(partial(page.evaluate, "window.opened"))
        page.evaluate("opened = lost = null")


@pytest.mark.slow
def test_all_pages_reconnect_after_a_redeploy_spread_out_and_keep_their_places(
    site: Site, pages: list[tuple[Entry, Page]], line: Line
) -> None:
    """All come back by themselves, not at the same moment and none of them hastily; everybody keeps the place."""
    order = [entry.job_id for entry, _ in pages]
    wait_for_sockets(pages)
    wait_for(lambda: line.ids() == order)
    before = headlines(pages)
    assert before[:2] == ["You are next", "2nd in line"]

    # As a deploy does it, and then as an accident does. In the second outage one page is closed.
    site.web.terminate()
    site.web.wait(20)
    for _, page in pages:
        wait_for(partial(page.evaluate, "lost"))
    site.web = site.start_web()
    wait_for_sockets(pages)
    wait_for(lambda: line.ids() == order)
    wait_for(lambda: headlines(pages) == before)
    site.web.kill()
    lost = [wait_for(partial(page.evaluate, "lost")) for _, page in pages]
    gone, closed = pages.pop()
    closed.close()
    order.remove(gone.job_id)
    time.sleep(2)  # nobody answers for a while, and they try in vain
    site.web = site.start_web()
    wait_for_sockets(pages)
    wait_for(lambda: line.ids() == order)
    wait_for(lambda: headlines(pages) == before[:-1])
    for _, page in pages:
        wait_for(page.locator("#connection").is_hidden)

    attempts = [page.evaluate("attempts") for _, page in pages]
    assert min(later - sooner for tried in attempts for sooner, later in itertools.pairwise(tried)) >= 500
    # Jitter: the first new attempts are spread over a second, and no tenth of it sees more than a third of them.
    delays = sorted(next(at for at in tried if at > gone) - gone for tried, gone in zip(attempts, lost, strict=False))
    assert delays[-1] - delays[0] > 300, delays
    assert max(sum(start <= delay < start + 100 for delay in delays) for start in delays) <= len(delays) / 3, delays

    # Somebody who had not come back by now would be dropped too.
    wait_for(lambda: status_of(gone) == Status.ABANDONED)
    assert gone.reason == Reason.LOST
    assert line.ids() == order
    assert list(Entry.objects.live().values_list("status", flat=True)) == [Status.WAITING] * len(order)
    assert probe.calls() == []
