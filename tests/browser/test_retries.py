"""A task that is tried again, as its visitor sees it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from queueing import events
from queueing.models import Entry
from tests.support.browser.site import Site, join
from tests.support.probe import log_path
from tests.support.processes import Processes

Visitors = Callable[..., Page]


@pytest.mark.slow
def test_the_page_shows_the_time_of_the_next_try_and_then_goes_on(
    site: Site, visitors: Visitors, processes: Processes
) -> None:
    page = visitors(timezone_id="Asia/Kathmandu")
    join(page, "x", end="error at first")
    times = {"PROBE_ATTEMPTS": "2", "PROBE_RETRY_AFTER": "600", "PROBE_LOG": str(log_path())}
    processes.worker(**times)
    expect(page.locator("#headline")).to_have_text("Waiting for the next try")
    expect(page.get_by_text("It is tried again by itself, and your place is kept.")).to_be_visible()
    when = page.locator("[data-live=next_try]")
    expect(when).to_be_visible()
    local = when.evaluate("time => new Date(time.dateTime).toLocaleTimeString([], {timeStyle: 'short'})")
    expect(when).to_have_text(local)
    Entry.objects.update(not_before=timezone.now())
    expect(page.locator("#headline")).to_have_text("Here is your result")


def test_a_time_on_another_day_is_shown_with_its_date(site: Site, visitors: Visitors) -> None:
    page = visitors(timezone_id="Asia/Kathmandu")
    join(page, "x")
    Entry.objects.update(not_before=timezone.now() + timedelta(days=3))
    events.publish(Entry.objects.get().code)
    when = page.locator("[data-live=next_try]")
    expect(when).to_be_visible()
    options = "{dateStyle: 'medium', timeStyle: 'short'}"
    expect(when).to_have_text(when.evaluate(f"time => new Date(time.dateTime).toLocaleString([], {options})"))
    expect(page.get_by_text("Next try:")).to_be_visible()
