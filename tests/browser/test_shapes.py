"""Forms without a file and with several, in a browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.support.browser.site import Site
from tests.support.probe import log_path
from tests.support.processes import Processes

Visitors = Callable[..., Page]


def payload(name: str, content: str) -> FilePayload:
    return FilePayload(name=name, mimeType="text/plain", buffer=content.encode())


@pytest.fixture
def site(processes: Processes, request: pytest.FixtureRequest) -> Site:
    processes.environment |= {"PROBE_SHAPE": request.param, "PROBE_LOG": str(log_path())}
    return Site(processes)


def join(page: Page) -> None:
    page.get_by_role("button", name="Join the line").click()


@pytest.mark.parametrize("site", ["prompt"], indirect=True)
def test_a_form_without_a_file_joins_and_says_what_is_wrong(
    site: Site, visitors: Visitors, processes: Processes
) -> None:
    page = visitors()
    page.goto("/join/probe/")
    join(page)
    expect(page.get_by_text("This field is required.")).to_be_visible()
    page.get_by_label("Prompt").fill("A poem")
    page.get_by_label("Day").fill("2026-02-28")
    join(page)
    expect(page.locator("#headline")).to_have_text("You are next")
    processes.worker()
    expect(page.locator("#headline")).to_have_text("Here is your result")


@pytest.mark.parametrize("site", ["files"], indirect=True)
def test_a_form_with_several_files_sends_them_all(site: Site, visitors: Visitors, processes: Processes) -> None:
    page = visitors()
    page.goto("/join/probe/")
    join(page)
    expect(page.get_by_text("Please choose a file first.")).to_be_visible()
    page.get_by_label("Front").set_input_files(payload("front.txt", "the front"))
    pages = page.get_by_label("Pages")
    pages.set_input_files([payload("one.txt", "1"), payload("empty.txt", "")])
    expect(page.get_by_text("This file is empty.")).to_be_visible()
    pages.set_input_files([payload("one.txt", "1"), payload("two.txt", "bad")])
    expect(page.get_by_text("one.txt, two.txt")).to_be_visible()
    join(page)
    expect(page.get_by_text("This pages is bad, for 3.00.")).to_be_visible()
    expect(page.get_by_text("one.txt, two.txt")).to_be_visible()  # all stay chosen
    pages.set_input_files([payload("one.txt", "1"), payload("two.txt", "2")])
    join(page)
    expect(page.get_by_text("front.txt and 2 more")).to_be_visible()
    processes.worker()
    expect(page.locator("#headline")).to_have_text("Here is your result")
