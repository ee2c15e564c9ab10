"""The main job in a real browser on a site whose inputs and results lie in S3."""

from collections.abc import Callable

import pytest
from django.core.files.storage import default_storage
from playwright.sync_api import Page, expect

from queueing.models import Entry
from tests.support.browser.site import Site
from tests.support.object_store import ObjectStore
from tests.support.paths import SCAN
from tests.support.processes import Processes
from tests.support.waiting import wait_for

Visitors = Callable[..., Page]


@pytest.fixture
def site(s3: ObjectStore, processes: Processes) -> Site:
    """A site with the bucket; the other fixtures of this folder come to it."""
    processes.environment |= {"STORAGE_URL": s3.url(), "MEDIA_ROOT": "/dev/null/media"}
    return Site(processes)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_scan_goes_to_s3_and_its_text_and_pictures_come_from_there(
    site: Site, visitors: Visitors, s3: ObjectStore
) -> None:
    page, other = visitors(), visitors()
    page.goto("/join/documents/")
    page.locator("input[type=file]").set_input_files(SCAN)
    page.locator("button[type=submit]:not([name])").click()
    page.wait_for_url("**/entry/**")
    entry = Entry.objects.get()
    assert s3.names() == [entry.input.name]
    with default_storage.open(str(entry.input.name)) as stored:
        assert stored.read() == SCAN.read_bytes()
    site.processes.manage("rqworker", "documents")
    expect(page.locator("#headline")).to_have_text("Here is your result", timeout=150_000)
    picture = page.locator(".page-picture img").first
    picture.scroll_into_view_if_needed()
    wait_for(lambda: picture.evaluate("image => image.complete && image.naturalWidth"))
    with page.expect_download() as download:
        page.locator(".result a[href$='text.txt']").first.click()
    assert download.value.path().read_text()
    assert download.value.suggested_filename == "text.txt"
    assert download.value.url.startswith(f"http://127.0.0.1:{s3.port}/queue/entries/")
    answer = other.request.get(page.locator(".result a[href$='text.txt']").first.get_attribute("href") or "")
    assert answer.status == 404
    page.get_by_text("Delete now…").click()
    page.get_by_role("button", name="Yes, delete it").click()
    expect(page.locator("#headline")).to_have_text("Deleted")
    wait_for(lambda: s3.names() == [])
