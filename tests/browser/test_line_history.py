"""The page of one line's past, as staff see it."""

from collections.abc import Callable
from datetime import timedelta
from itertools import product

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Page, expect

from queueing.history.books import minute_of
from queueing.models import LineEvent
from tests.support import past
from tests.support.browser.looks import BOTH, NARROW, PICTURES, WCAG, WIDE, barriers, too_wide
from tests.support.browser.site import Site
from tests.support.visitors import staff

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_the_past_of_a_line_is_read_by_eye_by_ear_and_on_a_phone(site: Site, visitors: Callable[..., Page]) -> None:
    past.fill("probe", minute_of(timezone.now()) - timedelta(minutes=1440), 1440)
    for hours, kind in ((5, "deployed"), (3, "paused"), (2.9, "resumed")):
        at = timezone.now() - timedelta(hours=hours)
        LineEvent.objects.create(queue="probe", kind=kind, detail="by anna", at=at)
    page = visitors()
    name = settings.SESSION_COOKIE_NAME
    page.context.add_cookies([{"name": name, "value": staff("view").client.cookies[name].value, "url": site.url}])
    page.goto("/admin/queueing/line/page/probe/")
    expect(page.get_by_role("img", name="Wait until the start")).to_be_visible()
    page.get_by_role("link", name="The last day").click()
    expect(page.get_by_role("link", name="The last day")).to_have_attribute("aria-current", "page")
    page.get_by_text("Table: joins and ends").press("Enter")
    table = page.get_by_role("region", name="Joins and ends").get_by_role("table")
    expect(table.get_by_role("columnheader", name="joined")).to_be_visible()
    expect(table.get_by_role("row")).to_have_count(97)
    expect(table.get_by_role("rowheader", name="Paused, by anna")).to_have_count(1)
    marks = page.get_by_role("region", name="Marks").get_by_role("row")
    expect(marks.filter(has_text="by anna")).to_have_count(3)
    LineEvent.objects.create(queue="probe", kind="closed", detail="by bert", at=timezone.now())
    page.evaluate(
        "document.dispatchEvent(new Event('visibilitychange'))"
    )  # a page that is looked at again asks at once
    expect(marks.filter(has_text="by bert")).to_have_count(1)
    expect(table).to_be_visible()
    expect(table.get_by_role("rowheader", name="Closed, by bert")).to_have_count(1)
    page.evaluate(AXE_SCRIPT)  # through the debugger, to which the content policy does not apply
    PICTURES.mkdir(exist_ok=True)
    for scheme, size in product(BOTH, (WIDE, NARROW)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size(size)
        page.screenshot(path=PICTURES / f"line-history-{size['width']}-{scheme}.png", full_page=True)
        assert barriers(page, WCAG) | too_wide(page) == {}
