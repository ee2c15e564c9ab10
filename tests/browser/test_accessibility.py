"""No barrier in any page or state (WCAG 2.2 AA, by axe-core), wide and narrow, light and dark; pictures of each."""

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from queueing import keys, services, stats
from queueing.line import get_line
from queueing.states import Reason
from tests.browser.conftest import PATIENT, Site
from tests.browser.looks import look
from tests.browser.proxy import Proxy
from tests.browser.stage import TABLE, Stage, report, start, succeed
from tests.conftest import Processes, wait_for

Visitors = Callable[..., Page]


@pytest.fixture
def site(deployed: Site, transactional_db: None, settings: Any) -> Site:
    settings.QUEUEING = PATIENT
    return deployed


def test_pages_before_and_beside_an_entry(site: Site, visitors: Visitors) -> None:
    page = visitors()
    stage = Stage(page.context, site.url)
    stage.others(3)
    stage.others(2, held=True)
    stage.workers(2)
    stage.past(61, 70, 82)
    wait_for(lambda: stats.line_now("documents").wait)
    page.goto("/")
    expect(page.get_by_text("2 more may return")).to_be_visible()
    look(page, "home")
    page.goto("/join/tables/")
    look(page, "join")
    page.get_by_role("button", name="Join the line").click()
    expect(page.get_by_text("Please choose a file first.")).to_be_visible()
    look(page, "join-empty")
    page.locator("input[type=file]").set_input_files(
        {"name": "photo.csv", "mimeType": "text/csv", "buffer": b"\x89PNG\r\n\x1a\n" + bytes(20_000)}
    )
    look(page, "join-chosen")
    page.get_by_role("button", name="Join the line").click()
    expect(page.get_by_text("This is a picture, not a table.")).to_be_visible()
    look(page, "join-refused")


def test_an_entry_that_waits_or_runs(site: Site, visitors: Visitors) -> None:
    page = visitors()
    stage = Stage(page.context, site.url)
    mine = stage.entry()
    page.goto(f"/entry/{mine.code}/")
    expect(headline(page)).to_have_text("You are next")
    look(page, "waiting-next")
    ahead = stage.others(4)
    other = stage.entry()
    stage.workers(2)
    stage.past(61, 70, 82)
    page.goto(f"/entry/{other.code}/")
    # The page of the first place was left for this one: that place is held.
    expect(headline(page)).to_have_text("5th in line")
    expect(page.locator("[data-live=wait]")).to_have_text("Expected wait: about 2 to 4 minutes.")
    expect(page.locator("[data-live=detail]")).to_have_text(
        "4 ahead of you, 1 more may return. 2 workers serve this line."
    )
    look(page, "waiting")
    page.get_by_role("button", name="Tell me when it is my turn").click()
    expect(page.get_by_role("button", name="Tell me when it is my turn", pressed=True)).to_be_visible()
    page.get_by_role("button", name="Keep my place").click()
    expect(page.get_by_text("You may go away: your place is kept for 30 minutes.")).to_be_visible()
    look(page, "waiting-kept")
    for entry in [mine, *ahead]:
        entry.cancel()
        keys.connection().delete(keys.PRESENCE.format(job_id=entry.job_id))
    running = stage.running()
    page.goto(f"/entry/{running.code}/")
    expect(headline(page)).to_have_text("Reading the pages…")
    look(page, "running-begun")
    running.report(0.45, "Page 2 of 3")
    page.reload()
    expect(headline(page)).to_have_text("Page 2 of 3")
    look(page, "running")


def test_an_entry_that_is_over(site: Site, visitors: Visitors) -> None:
    page = visitors()
    stage = Stage(page.context, site.url)
    texts = stage.read()
    tables = stage.profiled()
    broken, unusable, left, lost = (stage.entry() for _ in range(4))
    for entry in (broken, unusable):
        assert entry.start("w")
    broken.fail(Reason.ERROR)
    unusable.fail(Reason.UNUSABLE, "No page of this document could be read: the file is damaged.")
    left.cancel()
    lost.abandon(Reason.LOST)
    for name, entry, heading in (
        ("result-documents", texts, "Here is your result"),
        ("result-tables", tables, "Here is your result"),
        ("failed", broken, "This did not work"),
        ("failed-unusable", unusable, "This did not work"),
        ("cancelled", left, "You left the line"),
        ("abandoned", lost, "Your place has passed"),
    ):
        page.goto(f"/entry/{entry.code}/")
        expect(headline(page)).to_have_text(heading)
        look(page, name)


def test_pages_that_say_no(site: Site, visitors: Visitors) -> None:
    page = visitors()
    stage = Stage(page.context, site.url)
    page.goto(f"/entry/{uuid.uuid4()}/")
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    look(page, "404")
    mine = [stage.entry("tables", slot=number) for number in range(2)]
    hand_in(page, "tables")
    expect(page.get_by_text("as many places in line")).to_be_visible()
    look(page, "429")
    stage.others(19, "tables")
    hand_in(page, "tables")
    expect(page.get_by_text("The line is full.")).to_be_visible()
    look(page, "503")
    page.goto(f"/entry/{mine[0].code}/")
    page.context.clear_cookies()
    page.get_by_role("button", name="Leave the line").click()
    expect(page.get_by_role("heading", name="We could not be sure that this came from you")).to_be_visible()
    look(page, "403")


def test_a_lost_connection_warns_in_time_and_one_key_brings_it_back(
    site: Site, visitors: Visitors, proxy: Proxy
) -> None:
    """The page's own clock is moved on; the place is the server's, whose clock is not."""
    page = visitors(proxy.url)
    stage = Stage(page.context, site.url)
    stage.others(2)
    entry = stage.entry()
    page.clock.install()
    with page.expect_websocket() as socket:
        page.goto(f"/entry/{entry.code}/")
    socket.value.wait_for_event("framereceived")
    page.get_by_role("button", name="Leave the line").focus()
    proxy.sever()
    banner = page.get_by_role("group", name="Connection")
    expect(banner).to_contain_text("Connection lost. Your place is kept for 1:5")
    expect(page).to_have_title(re.compile("^Connection lost"))
    look(page, "lost")
    page.clock.fast_forward(80_000)
    expect(banner).to_contain_text(re.compile("for 0:(2|3)"))
    while "urgent" not in (banner.get_attribute("class") or ""):
        page.clock.fast_forward(1_000)
    left = int(re.findall(r"0:(\d\d)", banner.inner_text())[0])
    assert 20 <= left < 25
    expect(page.locator("#spoken")).to_have_text(
        re.compile(r"^Connection lost\. Your place is kept for 0:2\d\. Press Escape to reconnect\.$")
    )
    look(page, "lost-urgent")
    expect(page.get_by_role("button", name="Leave the line")).to_be_focused()
    proxy.mend()
    page.keyboard.press("Escape")
    expect(banner).to_be_hidden(timeout=3_000)
    expect(headline(page)).to_have_text("3rd in line")
    expect(page.locator("#spoken")).to_have_text("Connected again.")
    expect(page.get_by_role("button", name="Leave the line")).to_be_focused()
    wait_for(lambda: get_line("documents").held_ids() == [])


def test_numbers_are_spoken_every_ten_seconds_and_real_changes_at_once(site: Site, visitors: Visitors) -> None:
    page = visitors()
    stage = Stage(page.context, site.url)
    ahead, entry = stage.others(5), stage.entry()
    page.clock.install()
    page.goto(f"/entry/{entry.code}/")
    spoken = page.get_by_role("status")
    assert spoken.get_attribute("aria-live") == "polite"
    for leaver, place in zip(ahead, ("5th", "4th", "3rd"), strict=False):
        services.leave(leaver)
        expect(headline(page)).to_have_text(f"{place} in line")
        expect(spoken).to_have_text(re.compile(r"^5th in line\. .+ 4 ahead of you\.$"))
    page.clock.fast_forward(10_000)
    expect(spoken).to_contain_text("3rd in line.")
    for leaver in ahead[3:]:
        services.leave(leaver)
    expect(headline(page)).to_have_text("You are next")
    expect(spoken).to_contain_text("3rd in line.")
    start(entry)
    expect(spoken).to_have_text("Reading the pages…")
    for number in (1, 2):
        report(entry, number / 2, f"Page {number} of 2")
        expect(headline(page)).to_have_text(f"Page {number} of 2")
        expect(spoken).to_have_text("Reading the pages…")
    succeed(entry)
    expect(spoken).to_have_text("Here is your result")


def test_progress_is_a_progressbar_with_text(site: Site, visitors: Visitors) -> None:
    page = visitors()
    entry = Stage(page.context, site.url).running()
    page.goto(f"/entry/{entry.code}/")
    bar = page.get_by_role("progressbar", name="Reading the pages…")
    expect(bar).to_have_attribute("aria-valuetext", "Just begun")
    report(entry, 0.45, "Page 2 of 3")
    bar = page.get_by_role("progressbar", name="Page 2 of 3")
    expect(bar).to_have_attribute("aria-valuetext", "45 %")
    expect(page.get_by_text("45 %")).to_be_visible()


def test_focus_is_never_stolen(site: Site, visitors: Visitors) -> None:
    page, other = visitors(), visitors()
    stage = Stage(page.context, site.url)
    entry = stage.entry()
    other.context.add_cookies(page.context.cookies())  # the same visitor in a second window
    for window in (page, other):
        window.goto(f"/entry/{entry.code}/")
    brand = page.get_by_role("link", name="Client queue")
    brand.focus()
    other.get_by_role("button", name="Leave the line").focus()
    start(entry)
    expect(headline(page)).to_have_text("Reading the pages…")
    expect(brand).to_be_focused()
    # The button went away with the line. Nowhere is no place to be: the heading is read instead.
    expect(headline(other)).to_be_focused()
    other.evaluate("document.activeElement.blur()")
    succeed(entry)
    for window in (page, other):
        expect(headline(window)).to_have_text("Here is your result")
    expect(brand).to_be_focused()
    assert other.evaluate("document.activeElement === document.body")


def test_nothing_moves_for_those_who_want_no_motion(site: Site, visitors: Visitors) -> None:
    still, moving = visitors(), visitors(reduced_motion="no-preference")
    for page, expected in ((still, False), (moving, True)):
        stage = Stage(page.context, site.url)
        waiting, running = stage.entry(), stage.running()
        for entry in (waiting, running):
            page.goto(f"/entry/{entry.code}/")
            expect(headline(page)).to_be_visible()
            assert page.evaluate("document.getAnimations().length > 0") is expected


def test_keys_alone_lead_from_the_list_to_the_result(site: Site, visitors: Visitors, processes: Processes) -> None:
    page = visitors()
    page.on("filechooser", lambda chooser: chooser.set_files(TABLE))  # what the system's dialogue does
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("link", name="Profile a table"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/join/tables/")
    tab_to(page, page.get_by_label("Your table"))
    page.keyboard.press("Space")
    expect(page.get_by_text("table.csv")).to_be_visible()
    tab_to(page, page.get_by_role("button", name="Join the line"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/entry/**")
    expect(headline(page)).to_have_text("You are next")
    tab_to(page, page.get_by_role("button", name="Tell me when it is my turn"))
    page.keyboard.press("Space")
    processes.worker("tables")
    expect(headline(page)).to_have_text("Here is your result", timeout=30_000)
    tab_to(page, page.get_by_role("link", name="Download the whole profile"))
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert json.loads(download.value.path().read_text())["rows"] > 0
    tab_to(page, page.locator("summary").first)
    page.keyboard.press("Enter")
    expect(page.get_by_role("table").first).to_be_visible()
    tab_to(page, page.get_by_role("link", name="Start with another file"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/join/tables/")


# Details


def headline(page: Page) -> Locator:
    return page.locator("#headline")


def hand_in(page: Page, name: str) -> None:
    page.goto(f"/join/{name}/")
    page.locator("input[type=file]").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"})
    page.get_by_role("button", name="Join the line").click()


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the focus is there; what has it must be seen to have it."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if target.evaluate("(element) => element === document.activeElement"):
            return
    raise AssertionError(f"{target} is not reached with Tab")
