""" "Delete now" in one tab and its news in the others, and the end of "Join again" on an open page."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from playwright.sync_api import Page, expect

from queueing.models import Entry
from queueing.states import Status
from tests.support.browser.site import PATIENT, Site
from tests.support.browser.stage import Stage, succeed
from tests.support.entries import status_of

Visitors = Callable[..., Page]

AGAIN = "Join again with the same file"


@pytest.fixture
def site(deployed: Site, transactional_db: None, settings: Any) -> Site:
    settings.QUEUEING = PATIENT
    return deployed


def delete(page: Page) -> None:
    """Open the question, and say yes."""
    expect(page.get_by_role("button", name="Yes, delete it")).to_be_hidden()
    page.get_by_text("Delete now…").click()
    page.get_by_role("button", name="Yes, delete it").click()
    expect(page.locator("#headline")).to_have_text("Deleted")


def test_a_deletion_in_one_tab_is_seen_in_the_other_one_at_once(site: Site, visitors: Visitors) -> None:
    page = visitors()
    entry = Stage(page.context, site.url).running("probe")
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(f"/entry/{entry.code}/")
    expect(page.get_by_text("Delete now…")).to_be_hidden()  # while it is live
    succeed(entry)
    for tab in (page, other):
        expect(tab.locator("#headline")).to_have_text("Here is your result")
    delete(page)
    expect(other.locator("#headline")).to_have_text("Deleted")
    for tab in (page, other):
        expect(tab.get_by_text(entry.input_name)).to_have_count(0)
        expect(tab.get_by_text("Delete now…")).to_have_count(0)
        expect(tab).to_have_title("Deleted · Probe")
    assert Entry.objects.get().erased_at is not None


def test_another_browser_sees_a_deletion_when_somebody_looks_at_its_page(site: Site, visitors: Visitors) -> None:
    page, elsewhere = visitors(), visitors()
    stage = Stage(page.context, site.url)
    session = str(stage.session.session_key)
    elsewhere.context.add_cookies([{"name": "sessionid", "value": session, "url": site.url}])
    entry = stage.running("probe")
    succeed(entry)
    for each in (page, elsewhere):
        each.goto(f"/entry/{entry.code}/")
    delete(page)
    expect(elsewhere.locator("#headline")).to_have_text("Here is your result")
    elsewhere.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(elsewhere.locator("#headline")).to_have_text("Deleted")


def test_without_scripts_the_question_is_asked_too(site: Site, visitors: Visitors) -> None:
    page = visitors(java_script_enabled=False)
    entry = Stage(page.context, site.url).running("probe")
    succeed(entry)
    page.goto(f"/entry/{entry.code}/")
    delete(page)


def test_the_button_goes_away_when_the_input_does(site: Site, visitors: Visitors) -> None:
    """On a page that was open at the end, and on one that was loaded later; neither is loaded anew."""
    page = visitors()
    entry = Stage(page.context, site.url).entry("probe")
    page.goto(f"/entry/{entry.code}/")
    expect(page.locator("#headline")).to_have_text("You are next")
    page.get_by_role("button", name="Leave the line").click()
    button = page.get_by_role("button", name=AGAIN)
    expect(button).to_be_visible()
    expect(page.get_by_text("join again with the same file for 10 minutes")).to_be_visible()
    Entry.objects.update(input_until=Now() + timedelta(seconds=60))
    page.clock.install()
    page.reload()
    page.evaluate("window.same = true")
    expect(page.get_by_text("You can join again with the same file for")).to_be_visible()
    button.focus()
    Entry.objects.update(input_until=Now())
    page.clock.fast_forward(60_000)
    expect(button).to_be_hidden()
    expect(page.get_by_text("You can join again with the same file for")).to_be_hidden()
    expect(page.get_by_text("Your input is deleted by now.")).to_be_visible()
    expect(page.locator("#headline")).to_be_focused()
    assert page.evaluate("window.same")
    assert status_of(entry) == Status.CANCELLED


def test_a_page_that_is_told_of_the_end_counts_down(site: Site, visitors: Visitors) -> None:
    page = visitors()
    entry = Stage(page.context, site.url).running("probe")
    page.goto(f"/entry/{entry.code}/")
    expect(page.get_by_role("button", name=AGAIN)).to_be_hidden()
    other = page.context.new_page()
    other.goto(f"/entry/{entry.code}/")
    other.get_by_role("button", name="Stop").click()
    expect(page.locator("#headline")).to_have_text("Stopped")
    expect(page.get_by_role("button", name=AGAIN)).to_be_visible()
    expect(page.get_by_text("join again with the same file for 10 minutes")).to_be_visible()
