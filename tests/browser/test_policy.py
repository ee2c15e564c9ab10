"""A page that is open when the site's policy changes its answer."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser.site import PATIENT, Site, join
from tests.support.browser.stage import start, succeed
from tests.support.processes import Processes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def site(processes: Processes, settings: Any) -> Site:
    settings.QUEUEING = PATIENT | {"POLICY": "tests.support.policies.OneResult"}
    processes.use(settings.QUEUEING)
    return Site(processes)


def test_the_end_of_an_open_page_shows_the_policys_sentence_and_no_way_to_a_refusal(
    site: Site, visitors: Callable[..., Page]
) -> None:
    left, done = visitors(), visitors()
    join(left, "left")
    left.get_by_role("button", name="Leave the line").click()
    expect(left.get_by_role("link", name="Start with another file")).to_be_visible()
    entry = join(done, "done")
    start(entry)
    succeed(entry)
    expect(done.get_by_text("You have had your result.")).to_be_visible()
    expect(done.get_by_role("link", name="Start with another file")).to_be_hidden()
    expect(done.get_by_role("button", name="Join again")).to_be_hidden()
