"""The page tells errors apart: a fault of the site, with its reference; a refusal on the way; no network."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from queueing.web.visitor import SESSION_KEY
from tests.support.browser.proxy import Proxy
from tests.support.browser.site import PATIENT, Site, join
from tests.support.browser.stage import Stage

Visitors = Callable[..., Page]


@pytest.fixture
def site(deployed: Site, transactional_db: None, settings: Any) -> Site:
    settings.QUEUEING = PATIENT
    return deployed


def break_session(stage: Stage) -> None:
    """From now on each page of this visitor is a fault of ours."""
    stage.session[SESSION_KEY] = "no name that we gave"
    stage.session.save()


def send(page: Page) -> None:
    page.locator("input[type=file]").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"})
    page.get_by_role("button", name="Join the line").click()


def reference_in(text: str | None) -> str:
    match = re.search(r"Reference ([0-9a-f]{8})\b", text or "")
    assert match, text
    return match[1]


def test_a_fault_of_the_site_keeps_the_form_and_gives_a_reference_that_is_in_the_log(
    site: Site, visitors: Visitors
) -> None:
    page = visitors()
    stage = Stage(page.context, site.url)
    page.goto("/join/probe/")
    break_session(stage)
    send(page)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Something broke on our side. Please try again: nothing is lost")
    assert page.locator("input[type=file]").evaluate("field => field.files[0].name") == "a.csv"
    reference = reference_in(alert.text_content())
    assert re.search(rf"^Reference {reference}$", site.processes.logs(), re.MULTILINE)
    stage.session[SESSION_KEY] = stage.visitor.hex
    stage.session.save()
    page.get_by_role("button", name="Join the line").click()
    page.wait_for_url("**/entry/**")


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (502, "The site is being restarted, or has too much to do. Wait a minute."),
        pytest.param(504, "The site is being restarted, or has too much to do. Wait a minute.", marks=pytest.mark.slow),
        pytest.param(
            403,
            "This was refused on the way here (403). Try another network, or tell the people who run this site.",
            marks=pytest.mark.slow,
        ),
        pytest.param(429, "Too much has come from your network. Wait a minute.", marks=pytest.mark.slow),
        pytest.param(
            413, "This file is too large to be sent here. Please choose a smaller one.", marks=pytest.mark.slow
        ),
        (0, "There is no connection to the site. Is your network there?"),
    ],
)
def test_an_answer_of_somebody_on_the_way_says_what_to_do(
    site: Site, visitors: Visitors, status: int, sentence: str
) -> None:
    page = visitors()
    page.goto("/join/probe/")

    def answer(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
        elif status:
            route.fulfill(status=status, body="<h1>A gateway</h1>")
        else:
            route.abort()

    page.route("**/join/probe/", answer)
    send(page)
    expect(page.get_by_role("alert")).to_contain_text(sentence)


@pytest.mark.slow
def test_the_page_of_an_entry_says_that_the_site_has_a_fault_and_not_that_the_connection_is_lost(
    site: Site, visitors: Visitors
) -> None:
    tunnel = Proxy(site.port, websockets="refused")
    page = visitors(tunnel.url)
    stage = Stage(page.context, tunnel.url)
    join(page, "x")
    break_session(stage)
    banner = page.locator("#connection")
    expect(banner).to_contain_text("Something broke on our side.", timeout=30_000)
    expect(banner).to_contain_text("Your place is kept for")
    reference = reference_in(banner.text_content())
    assert f"Reference {reference}" in site.processes.logs()
    page.route("**/status.json*", lambda route: route.fulfill(status=502))
    expect(banner).to_contain_text("The site has too much to do, or is being restarted.", timeout=30_000)
    page.route("**/status.json*", lambda route: route.fulfill(status=403))
    expect(banner).to_contain_text("The site refuses to answer (403).", timeout=30_000)
    page.route("**/status.json*", lambda route: route.abort())
    expect(banner).to_contain_text("Connection lost.", timeout=30_000)
    tunnel.stop()


def test_a_failed_entry_has_a_reference_by_which_staff_find_it(site: Site, visitors: Visitors) -> None:
    page = visitors()
    stage = Stage(page.context, site.url)
    entry = stage.running("probe")
    assert entry.fail("error", "Something went wrong while working on this.")  # type: ignore[arg-type]
    page.goto(f"/entry/{entry.code}/")
    expect(page.get_by_text(f"reference {entry.code.hex[:8]}")).to_be_visible()
