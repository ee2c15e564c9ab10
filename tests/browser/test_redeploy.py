"""The web process is killed and started again under fifty open pages."""

import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from queueing.line import LineQueue
from queueing.models import Entry
from queueing.states import Status
from tests import probe
from tests.browser.conftest import Site
from tests.browser.patience import LONG_GRACES
from tests.conftest import wait_for
from tests.visitors import Visitor, url

# Fifty profiles would be fifty processes of the browser; tabs of one site share a few.
VISITORS, PAGES_EACH = 10, 5

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
    this.addEventListener("message", () => { opened ??= now(); });
    this.addEventListener("close", () => { lost ??= now(); });
  }
};
"""


@pytest.fixture
def quick(settings: Any) -> dict[str, float]:
    settings.QUEUEING = LONG_GRACES | {"MAX_WAITING_PER_VISITOR": PAGES_EACH}
    return dict(settings.QUEUEING)


@pytest.fixture
def pages(site: Site, visitors: Callable[..., Page]) -> list[tuple[Entry, Page]]:
    """Fifty entries in their order, each with its open page."""
    opened = []
    for _ in range(VISITORS):
        visitor = Visitor()
        entries = [visitor.join(label="waits") for _ in range(PAGES_EACH)]
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


def test_it_works(site: Site, pages: list[tuple[Entry, Page]], line: LineQueue) -> None:
    """All come back by themselves, not at the same moment and none of them hastily; everybody keeps the place."""
    order = [entry.job_id for entry, _ in pages]
    for _, page in pages:
        wait_for(lambda page=page: page.evaluate("window.opened"))
    wait_for(lambda: line.get_job_ids() == order)
    before = headlines(pages)
    assert before[:2] == ["You are next", "2nd in line"]
    site.web.kill()
    lost = [wait_for(lambda page=page: page.evaluate("lost")) for _, page in pages]
    time.sleep(2)  # nobody answers for a while, and they try in vain
    site.web = site.start_web()
    wait_for(lambda: line.get_job_ids() == order, 60)
    wait_for(lambda: headlines(pages) == before, 60)
    for _, page in pages:
        wait_for(page.locator("#connection").is_hidden)

    attempts = [page.evaluate("attempts") for _, page in pages]
    assert min(later - sooner for tried in attempts for sooner, later in itertools.pairwise(tried)) >= 500
    # Jitter: the first new attempts are spread over a second, and no tenth of it sees more than a third of them.
    delays = sorted(next(at for at in tried if at > gone) - gone for tried, gone in zip(attempts, lost, strict=True))
    assert delays[-1] - delays[0] > 300, delays
    assert max(sum(start <= delay < start + 100 for delay in delays) for start in delays) <= len(delays) / 3, delays
    assert list(Entry.objects.values_list("status", flat=True)) == [Status.WAITING] * len(order)
    assert probe.calls() == []
