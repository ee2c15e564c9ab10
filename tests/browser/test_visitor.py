"""The main job in a real browser: hand in, wait, get the result; leave, and nothing is run for you."""

import re
from collections.abc import Callable

import pytest
import redis
from playwright.sync_api import Page, expect

from queueing.line.places import get_line
from queueing.states import Status
from tests.support import probe
from tests.support.browser.site import Site, join
from tests.support.entries import status_of
from tests.support.paths import SCAN
from tests.support.waiting import wait_for

Visitors = Callable[..., Page]


@pytest.mark.timeout(240)
def test_a_visitor_has_a_scan_read_from_the_form_to_the_text(site: Site, visitors: Visitors) -> None:
    """A three-page scan: the place in line, a reload, progress page by page, the text, and the text after a reload."""
    first, second = visitors(), visitors()
    for page in (first, second):
        page.goto("/")
        page.get_by_role("link", name=re.compile("scan", re.IGNORECASE)).first.click()
        page.locator("input[type=file]").set_input_files(SCAN)
        page.locator("button[type=submit]:not([name])").click()
        page.wait_for_url("**/entry/**")
    expect(second.locator("#headline")).to_have_text("2nd in line")
    for _ in range(3):
        second.reload()
        expect(second.locator("#headline")).to_have_text("2nd in line")
    first.get_by_role("button", name="Leave the line").click()
    expect(first.locator("#headline")).to_have_text("You left the line")
    expect(second.locator("#headline")).to_have_text("You are next", timeout=5000)
    second.evaluate(
        """() => { window.seen = new Set(); const h = document.getElementById('status');
        new MutationObserver(() => seen.add(document.getElementById('headline').textContent)).observe(
        h, {subtree: true, childList: true, characterData: true}); }"""
    )
    site.processes.manage("rqworker", "documents")
    expect(second.locator("progress")).to_be_visible(timeout=60_000)  # the models are loaded first
    expect(second.locator("#headline")).to_have_text("Here is your result", timeout=120_000)
    seen = " ".join(second.evaluate("[...window.seen]"))
    assert "of 3" in seen, seen  # a page takes a second, and what passes between two reports is not told
    text = second.locator(".result").inner_text()
    assert len(text) > 500
    second.reload()
    wait_for(lambda: second.locator(".result").inner_text() == text)
    with second.expect_download() as download:
        second.locator(".result a[href$='text.txt']").first.click()
    assert download.value.path().read_text()


@pytest.mark.slow
def test_a_flush_of_redis_loses_none_of_ten_open_pages(site: Site, visitors: Visitors, valkey: redis.Redis) -> None:
    pages = [visitors() for _ in range(10)]
    entries = [join(page, f"v{number}") for number, page in enumerate(pages)]
    line = get_line("probe")
    wait_for(lambda: line.ids() == [entry.job_id for entry in entries])
    valkey.flushall()
    wait_for(lambda: line.ids() == [entry.job_id for entry in entries])
    expect(pages[9].locator("#headline")).to_have_text("10th in line")
    site.processes.worker()
    wait_for(lambda: all(status_of(entry) == Status.SUCCEEDED for entry in entries), 60)
    assert probe.calls() == [f"v{number}" for number in range(10)]
