"""The admin's page of the lines, as staff have it on a phone."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Page, expect

from queueing.models import Entry
from queueing.states import Reason, Status
from tests.support.browser.looks import NARROW, PICTURES, too_wide
from tests.support.browser.site import Site
from tests.support.visitors import staff

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def _waste() -> None:
    """Every kind of run, so that the cells have many words."""
    for reason in (Reason.CLOSED, Reason.LEFT, Reason.ERROR, Reason.NONE):
        status = {Reason.CLOSED: Status.ABANDONED, Reason.LEFT: Status.CANCELLED, Reason.ERROR: Status.FAILED}
        Entry.objects.create(
            queue="probe", status=status.get(reason, Status.SUCCEEDED), reason=reason, attempt=1,
            finished_at=timezone.now(), run_time=timedelta(seconds=4711), lost_time=timedelta(seconds=4711),
        )  # fmt: skip


@pytest.mark.usefixtures("_waste")
def test_the_lines_are_no_wider_than_a_phone(site: Site, visitors: Callable[..., Page]) -> None:
    page = visitors()
    name = settings.SESSION_COOKIE_NAME
    cookie = staff("view").client.cookies[name].value
    page.context.add_cookies([{"name": name, "value": cookie, "url": site.url}])
    page.set_viewport_size(NARROW)
    page.goto("/admin/queueing/entry/lines/")
    expect(page.get_by_role("link", name="probe")).to_be_visible()
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / "admin-lines-narrow.png", full_page=True)
    assert too_wide(page) == {}
    names = page.locator("td[data-name='Goodput lately']").first
    assert names.evaluate("cell => getComputedStyle(cell, '::before').content").startswith('"Goodput lately')
