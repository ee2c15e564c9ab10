"""The page of a visitor, as staff see it."""

from collections.abc import Callable

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from queueing.states import Reason, Status
from tests.support.browser.looks import look
from tests.support.browser.site import PATIENT, Site
from tests.support.browser.stage import Stage
from tests.support.entries import status_of
from tests.support.visitors import staff

Visitors = Callable[..., Page]


@pytest.fixture
def site(deployed: Site, transactional_db: None, settings: object) -> Site:
    settings.QUEUEING = PATIENT  # type: ignore[attr-defined]
    return deployed


def test_staff_are_told_whose_page_it_is_and_asked_before_they_end_it(site: Site, visitors: Visitors) -> None:
    page = visitors()
    entry = Stage(page.context, site.url).entry("documents")
    key = staff("view", "change").client.cookies[settings.SESSION_COOKIE_NAME].value
    page = visitors()
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": key, "url": site.url}])
    page.goto(f"/entry/{entry.code}/")
    expect(page.get_by_text("You are looking as staff")).to_be_visible()
    page.get_by_text("End this place…").click()
    look(page, "staff-waiting")
    assert status_of(entry) == Status.WAITING
    page.get_by_role("button", name="Yes, end it").click()
    expect(page.locator("#headline")).to_have_text("Your place was ended")
    look(page, "staff-ended", ("light",))
    entry.refresh_from_db()
    assert entry.reason == Reason.ENDED
