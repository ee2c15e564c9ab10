"""Levers that staff pull on a line, as the visitors' open pages show it."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser.looks import look
from tests.support.browser.site import PATIENT, Site, join
from tests.support.commands import run_command

Visitors = Callable[..., Page]


@pytest.fixture
def site(deployed: Site, transactional_db: None, settings: Any) -> Site:
    settings.QUEUEING = PATIENT
    return deployed


def test_a_pause_and_its_end_reach_an_open_page_without_a_reload(site: Site, visitors: Visitors) -> None:
    """The place stays; the sentence of staff is told to all who wait, and to those who would join."""
    page, newcomer = visitors(), visitors()
    join(page, "one")
    page.evaluate("window.same = true")
    said = page.locator("[data-live=notice]")
    expect(said).to_be_hidden()
    run_command("line", "pause", "probe", "We mend the <machine>; nothing is lost.")
    expect(page.locator("[data-live=wait]")).to_contain_text("This line is paused at the moment.")
    expect(said).to_have_text("We mend the <machine>; nothing is lost.")
    expect(page.locator("#headline")).to_have_text("You are next")
    look(page, "paused")
    newcomer.goto("/join/probe/")
    expect(newcomer.get_by_text("We mend the <machine>; nothing is lost.")).to_be_visible()
    expect(newcomer.get_by_role("button", name="Join the line")).to_be_enabled()
    run_command("line", "resume", "probe")
    expect(said).to_be_hidden()
    expect(page.locator("[data-live=wait]")).not_to_contain_text("paused")
    assert page.evaluate("window.same")


def test_a_closed_form_says_why_and_until_when(site: Site, visitors: Visitors) -> None:
    page = visitors()
    run_command("line", "close", "probe", "We are moving.", "--opens-at", "2100-01-31T09:00")
    page.goto("/join/probe/")
    expect(page.get_by_role("button", name="Join the line")).to_be_disabled()
    expect(page.get_by_text("We are moving.")).to_be_visible()
    expect(page.get_by_text("It opens on 31 January, 09:00 UTC.")).to_be_visible()
    look(page, "closed")
    run_command("line", "open", "probe")
    page.get_by_role("link", name="Look again").click()
    expect(page.get_by_role("button", name="Join the line")).to_be_enabled()
