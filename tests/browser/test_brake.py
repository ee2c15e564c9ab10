"""The brake in a real browser: the calculation, with JavaScript and without; and the button that keeps a place."""

from collections.abc import Callable
from typing import Any

import pytest
import redis
from playwright.sync_api import Page, expect

from queueing.line import keys
from queueing.models import Entry
from queueing.states import Status
from tests.support.browser.looks import look
from tests.support.browser.site import DEPLOYED, Site, join
from tests.support.entries import status_of
from tests.support.processes import Processes
from tests.support.waiting import wait_for

Visitors = Callable[..., Page]
FILE: Any = {"name": "a.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"}
BITS = 12  # some milliseconds of work


@pytest.fixture
def brake() -> dict[str, Any]:
    """Settings of the site."""
    return {"BRAKE": "on", "BRAKE_BITS": BITS}


@pytest.fixture
def site(processes: Processes, brake: dict[str, Any]) -> Site:
    """As it is deployed: with hashed names, and the content policy."""
    processes.use(brake)
    collecting = processes.manage("collectstatic", "--noinput", "--verbosity", "0", **DEPLOYED)
    assert collecting.wait(60) == 0, processes.logs()
    return Site(processes, **DEPLOYED)


def button(page: Page) -> Any:
    return page.get_by_role("button", name="Join the line")


def test_a_browser_does_the_calculation_and_joins(site: Site, visitors: Visitors) -> None:
    page = visitors()
    entry = join(page, "worked")
    assert status_of(entry) == Status.WAITING
    # Back from the cache the challenge is used up; the form gets a new one by itself.
    page.go_back()
    expect(page.locator("#join")).to_be_visible()
    page.locator("input[type=file]").set_input_files(FILE)
    with page.expect_navigation(url="**/entry/**"):
        button(page).click()
    assert Entry.objects.count() == 2


@pytest.mark.slow
def test_the_sample_needs_the_calculation_too(site: Site, visitors: Visitors) -> None:
    page = visitors()
    page.goto("/join/probe/")
    page.get_by_role("button", name="Try it with our sample").click()
    page.wait_for_url("**/entry/**")
    assert Entry.objects.count() == 1


@pytest.mark.slow
@pytest.mark.parametrize("brake", [{"BRAKE": "on", "BRAKE_BITS": 28}])
def test_a_long_calculation_is_said_and_can_be_stopped(site: Site, visitors: Visitors) -> None:
    page = visitors()
    page.goto("/join/probe/")
    look(page, "form-with-brake")
    page.locator("input[type=file]").set_input_files(FILE)
    button(page).click()
    said = "Your browser is doing a short calculation"
    expect(page.locator("[data-upload-text]")).to_have_text(said)
    expect(page.locator("[data-spoken]")).to_have_text(said)
    expect(button(page)).to_be_disabled()
    wait_for(lambda: page.evaluate("document.querySelector('#sent').value > 0"))
    page.get_by_role("button", name="Cancel").click()
    expect(button(page)).to_be_enabled()
    expect(page.locator("[data-upload]")).to_be_hidden()
    assert not Entry.objects.exists()


@pytest.mark.slow
@pytest.mark.parametrize("brake", [{"BRAKE": "auto", "BRAKE_BITS": BITS}])
def test_a_brake_that_comes_while_the_form_is_open_takes_one_more_press(
    site: Site, visitors: Visitors, valkey: redis.Redis
) -> None:
    page = visitors()
    page.goto("/join/probe/")
    page.locator("input[type=file]").set_input_files(FILE)
    valkey.set(keys.brake_key("probe"), 1, ex=60)
    button(page).click()
    expect(page.get_by_role("alert").filter(has_text="asks each browser for a short calculation first")).to_be_visible()
    button(page).click()
    page.wait_for_url("**/entry/**")


def test_without_javascript_the_form_says_what_it_needs(site: Site, visitors: Visitors) -> None:
    page = visitors(java_script_enabled=False)
    page.goto("/join/probe/")
    expect(page.locator("noscript p")).to_be_visible()
    expect(page.locator("noscript p")).to_contain_text("Joining needs JavaScript at the moment.")
    expect(page.get_by_text("a short calculation")).to_be_hidden()
    expect(button(page)).to_be_hidden()


@pytest.mark.slow
@pytest.mark.parametrize("brake", [{"MIN_PRESENCE": 2}])
def test_the_button_that_keeps_a_place_comes_without_a_reload(site: Site, visitors: Visitors) -> None:
    page = visitors()
    entry = join(page, "kept")
    keep = page.get_by_role("button", name="Keep my place")
    expect(keep).to_be_hidden()
    page.evaluate("window.same = true")
    expect(keep).to_be_visible(timeout=10_000)
    assert page.evaluate("window.same")
    keep.click()
    expect(page.get_by_text("You may go away: your place is kept for 30 minutes.")).to_be_visible()
    entry.refresh_from_db()
    assert entry.keep_seconds
