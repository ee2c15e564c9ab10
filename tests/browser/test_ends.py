"""The page of an entry that has ended, and of a right that has ended."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from playwright.sync_api import Page, Route, WebSocket, expect

from queueing import ending, events
from queueing.models import Entry
from tests.support.browser.site import PATIENT, Site, join
from tests.support.browser.stage import Stage
from tests.support.visitors import staff
from tests.support.waiting import wait_for

Visitors = Callable[..., Page]
# Words enough that the page's new part does not fit into a frame.
PAGES = [{"number": 1, "text": "long " * 5_000, "confidence": 0.9, "readable": True}]
LONG_RESULT = {"pages": PAGES, "text_file": "text.txt", "pdf_file": "searchable.pdf", "confidence": 0.9}


@pytest.fixture
def site(deployed: Site, transactional_db: None, settings: Any) -> Site:
    settings.QUEUEING = PATIENT
    return deployed


def sockets_of(page: Page) -> list[WebSocket]:
    """The WebSockets that this page opens from now on."""
    found: list[WebSocket] = []
    page.on("websocket", lambda socket: found.append(socket))  # noqa: PLW0108  # Playwright marks the function
    return found


def test_the_socket_ends_with_the_entry_and_no_other_is_opened(site: Site, visitors: Visitors) -> None:
    page = visitors()
    sockets = sockets_of(page)
    entry = join(page, "a")
    expect(page.locator("#headline")).to_have_text("You are next")
    ending.leave(entry)
    expect(page.locator("#headline")).to_have_text("You left the line")
    page.wait_for_timeout(1_500)  # longer than the first pause of the back-off
    wait_for(lambda: (page.evaluate("1"), [socket.is_closed() for socket in sockets] == [True])[1])
    assert not page.locator("#connection").is_visible()
    page.reload()
    expect(page.locator("#headline")).to_have_text("You left the line")
    page.wait_for_timeout(1_500)
    assert len(sockets) == 1


def test_an_end_that_is_too_long_for_a_frame_comes_by_a_poll_and_no_socket_follows(
    site: Site, visitors: Visitors
) -> None:
    page = visitors()
    held: list[Route] = []
    sockets = sockets_of(page)
    page.route("**/status.json*", lambda route: held.append(route))  # noqa: PLW0108  # Playwright marks the function
    entry = Stage(page.context, site.url).running()
    with page.expect_websocket() as socket:
        page.goto(f"/entry/{entry.code}/")
    socket.value.wait_for_event("framereceived")
    assert entry.succeed(LONG_RESULT)
    events.publish(entry.code)
    socket.value.wait_for_event("close")
    page.wait_for_timeout(2_500)  # longer than the first pauses of the back-off, and than a banner waits
    assert len(sockets) == 1
    expect(page.locator("#connection")).to_be_hidden()
    held[-1].continue_()
    expect(page.locator("#headline")).to_have_text("Here is your result")
    assert len(sockets) == 1


def test_an_entry_that_is_deleted_in_another_tab_is_gone_when_the_visitor_looks(site: Site, visitors: Visitors) -> None:
    page = visitors()
    entry = join(page, "a")
    ending.leave(entry)
    expect(page.locator("#headline")).to_have_text("You left the line")
    Entry.objects.all().delete()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("h1")).to_have_text("There is nothing here")


def test_a_page_whose_right_is_over_says_so(site: Site, visitors: Visitors) -> None:
    entry = join(visitors(), "a")
    looker, user = staff("view"), User.objects.get()
    page = visitors()
    key = looker.client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": key, "url": site.url}])
    with page.expect_websocket() as socket:
        page.goto(f"/entry/{entry.code}/")
    socket.value.wait_for_event("framereceived")
    expect(page.locator("#headline")).to_have_text("You are next")
    user.user_permissions.clear()
    expect(page.locator("h1")).to_have_text("There is nothing here", timeout=15_000)


def test_no_script_knows_the_name_of_a_cookie() -> None:
    """A deployed site has other names than a development site."""
    scripts = list((settings.BASE_DIR / "queueing" / "static").rglob("*.js"))
    assert len(scripts) > 10
    for script in scripts:
        assert not re.search(r"document\.cookie|csrftoken|sessionid", script.read_text()), script
