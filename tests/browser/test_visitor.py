"""The main job in a real browser: hand in, wait, get the result; leave, and nothing is run for you."""

import re
from collections.abc import Callable

import pytest
import redis
from playwright.sync_api import Browser, Page, expect

from queueing.line import get_line
from queueing.models import Entry
from queueing.states import Reason, Status
from tests import probe
from tests.browser.conftest import SCAN, Site, join
from tests.browser.proxy import Proxy
from tests.conftest import wait_for, watch_since
from tests.test_worker import entered, hold, status_of

Visitors = Callable[..., Page]


@pytest.mark.timeout(240)
def test_it_works(site: Site, visitors: Visitors) -> None:
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
    expect(second.locator("progress")).to_be_visible(timeout=30_000)
    expect(second.locator("#headline")).to_have_text("Here is your result", timeout=120_000)
    seen = " ".join(second.evaluate("[...window.seen]"))
    assert all(f"{number} of 3" in seen for number in (1, 2, 3)), seen
    text = second.locator(".result").inner_text()
    assert len(text) > 500
    second.reload()
    assert second.locator(".result").inner_text() == text
    with second.expect_download() as download:
        second.locator(".result a[href$='text.txt']").first.click()
    assert download.value.path().read_text()


def test_who_closes_the_tab_is_passed_over(site: Site, visitors: Visitors) -> None:
    busy, leaver, stayer = visitors(), visitors(), visitors()
    gate = hold("busy")
    site.processes.worker()
    running = join(busy, "busy")
    wait_for(lambda: entered("busy"))
    left, stays = join(leaver, "leaver"), join(stayer, "stayer")
    expect(stayer.locator("#headline")).to_have_text("2nd in line")
    leaver.close()
    expect(stayer.locator("#headline")).to_have_text("You are next", timeout=4000)
    watch_since(1000)
    gate.unlink()
    wait_for(lambda: status_of(stays) == Status.SUCCEEDED)
    wait_for(lambda: status_of(left) == Status.ABANDONED)
    assert left.reason == Reason.CLOSED
    assert status_of(running) == Status.SUCCEEDED
    assert probe.calls() == ["busy", "stayer"]


def test_who_loses_the_connection_keeps_the_place_and_comes_back(site: Site, visitors: Visitors, proxy: Proxy) -> None:
    busy, cut_off, stayer = visitors(), visitors(proxy.url), visitors()
    gate = hold("busy")
    site.processes.worker()
    join(busy, "busy")
    wait_for(lambda: entered("busy"))
    cut = join(cut_off, "cut")
    stays, line = join(stayer, "stayer"), get_line("probe")
    expect(stayer.locator("#headline")).to_have_text("2nd in line")
    proxy.cut()
    wait_for(lambda: line.held_ids() == [cut.job_id])
    expect(stayer.locator("#headline")).to_have_text("You are next", timeout=5000)
    expect(stayer.locator("[data-live=detail]")).to_contain_text("1 more may return")
    stay_open = hold("stayer")
    gate.unlink()
    wait_for(lambda: entered("stayer"))
    proxy.mend()
    wait_for(lambda: line.get_job_ids() == [cut.job_id])
    stay_open.unlink()
    wait_for(lambda: status_of(cut) == Status.SUCCEEDED)
    expect(cut_off.locator("#headline")).to_have_text("Here is your result", timeout=15_000)
    assert status_of(stays) == Status.SUCCEEDED
    assert probe.calls() == ["busy", "stayer", "cut"]


def test_who_does_not_come_back_in_time_is_told_so(site: Site, visitors: Visitors, proxy: Proxy) -> None:
    page = visitors(proxy.url)
    entry = join(page, "late")
    proxy.cut()
    wait_for(lambda: get_line("probe").held_ids() == [entry.job_id])
    watch_since(1000)
    wait_for(lambda: status_of(entry) == Status.ABANDONED)
    assert entry.reason == Reason.LOST
    proxy.mend()
    expect(page.locator("#headline")).to_have_text("Your place has passed", timeout=30_000)
    page.get_by_role("button", name="Join again with the same input").click()
    expect(page.locator("#headline")).to_have_text("You are next")
    new = Entry.objects.latest("id")
    assert new.kwargs == {"label": "late"}
    assert page.url.rstrip("/").endswith(str(new.code))
    assert probe.calls() == []


def test_a_flush_of_redis_loses_none_of_ten_open_pages(site: Site, visitors: Visitors, valkey: redis.Redis) -> None:
    pages = [visitors() for _ in range(10)]
    entries = [join(page, f"v{number}") for number, page in enumerate(pages)]
    line = get_line("probe")
    wait_for(lambda: line.get_job_ids() == [entry.job_id for entry in entries])
    valkey.flushall()
    wait_for(lambda: line.get_job_ids() == [entry.job_id for entry in entries])
    expect(pages[9].locator("#headline")).to_have_text("10th in line")
    site.processes.worker()
    wait_for(lambda: all(status_of(entry) == Status.SUCCEEDED for entry in entries), 60)
    assert probe.calls() == [f"v{number}" for number in range(10)]


def test_without_javascript_the_page_still_leads_to_the_result(site: Site, browser: Browser) -> None:
    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    entry = join(page, "plain")
    expect(page.locator("#headline")).to_have_text("You are next")
    site.processes.worker()
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED)
    expect(page.locator("#headline")).to_have_text("Here is your result", timeout=20_000)  # by its own refresh
    context.close()


def test_without_websockets_polling_takes_over(site: Site, visitors: Visitors) -> None:
    page = visitors()
    page.route_web_socket(re.compile(".*/ws/.*"), lambda ws: ws.close(code=1011))
    entry = join(page, "poller")
    site.processes.worker()
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED)
    expect(page.locator("#headline")).to_have_text("Here is your result", timeout=15_000)
