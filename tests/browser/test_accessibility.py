"""No barrier in any page or state (WCAG 2.2 AA, by axe-core), wide and narrow, light and dark; pictures of each."""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Locator, Page, expect

from queueing import ending, facts
from queueing.line import clients, keys, presence
from queueing.line.places import get_line
from queueing.models import Entry
from queueing.states import Reason
from queueing.web.visitor import SESSION_KEY
from tests.support.browser.looks import LIGHT, look
from tests.support.browser.proxy import Proxy
from tests.support.browser.site import DEPLOYED, PATIENT, Site
from tests.support.browser.stage import LONG, Stage, report, start, succeed, throttle
from tests.support.levers import set_levers
from tests.support.paths import TABLE
from tests.support.processes import Processes
from tests.support.servers import free_port
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from playwright._impl._api_structures import SetCookieParam

Visitors = Callable[..., Page]


@pytest.fixture
def site(deployed: Site, transactional_db: None, settings: Any) -> Site:
    settings.QUEUEING = PATIENT
    return deployed


@pytest.fixture
def troubled(site: Site) -> Iterator[Site]:
    """One more web process of the site: it does not reach Redis, and its tables are closed."""
    made = copy(site)
    made.port = free_port()
    made.url = f"http://127.0.0.1:{made.port}"
    made.environment = DEPLOYED | {"REDIS_URL": "redis://127.0.0.1:1"}
    set_levers("tables", state="closed")
    made.web = made.start_web()
    yield made
    made.web.kill()
    made.web.wait(10)


@pytest.fixture
def without_sockets(site: Site) -> Iterator[Proxy]:
    """A way to the site that lets no WebSocket through."""
    made = Proxy(site.port, websockets="refused")
    yield made
    made.stop()


@pytest.mark.slow
def test_pages_before_and_beside_an_entry(site: Site, visitors: Visitors) -> None:
    page = visitors()
    stage = Stage(page.context, site.url)
    stage.others(3)
    stage.others(2, held=True)
    stage.workers(2)
    stage.past(61, 70, 82)
    wait_for(lambda: facts.line_now("documents").wait)
    page.goto("/")
    expect(page.get_by_text("2 who are away may return")).to_be_visible()
    look(page, "home")
    stage.entry()
    page.reload()
    expect(page.get_by_role("heading", name="Your places")).to_be_visible()
    look(page, "home-mine")
    page.goto("/join/tables/")
    look(page, "join")
    page.get_by_role("button", name="Join the line").click()
    expect(page.get_by_text("Please choose a file first.")).to_be_visible()
    look(page, "join-empty")
    page.locator("input[type=file]").set_input_files(
        {"name": "table.csv", "mimeType": "text/csv", "buffer": b"a,b\n" + bytes(800_000)}
    )
    expect(page.get_by_text("table.csv 781.3 KB")).to_be_visible()
    look(page, "join-chosen")
    slow = throttle(page, 20_000)
    page.get_by_role("button", name="Join the line").click()
    expect(page.get_by_role("progressbar", name=re.compile("Sending your file: .* of 78"))).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("Sending your file")
    look(page, "join-sending")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status")).to_have_text("Stopped. Your file is still chosen.")
    slow.detach()
    page.get_by_role("button", name="Join the line").click()
    expect(page.get_by_role("alert")).to_have_text("This is not a text file; save the table as CSV.")
    look(page, "join-refused")


def test_an_entry_that_waits_or_runs(site: Site, visitors: Visitors, without_sockets: Proxy) -> None:
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
    expect(page.locator("[data-live=wait]")).to_have_text(re.compile(r"^Expected wait: (about \d|up) to \d minutes\.$"))
    expect(page.locator("[data-live=detail]")).to_have_text(
        "4 ahead of you; 1 who is away may return. 2 workers serve this line."
    )
    look(page, "waiting")
    page.get_by_role("button", name="Tell me when it is my turn").click()
    expect(page.get_by_role("button", name="Tell me when it is my turn", pressed=True)).to_be_visible()
    page.get_by_role("button", name="Keep my place").click()
    expect(page.get_by_text("You may go away: your place is kept for 30 minutes.")).to_be_visible()
    look(page, "waiting-kept")
    for entry in [mine, *ahead]:
        entry.cancel()
        clients.connection().delete(keys.PRESENCE.format(job_id=entry.job_id))
    running = stage.running()
    page.goto(f"/entry/{running.code}/")
    expect(headline(page)).to_have_text("Reading the pages…")
    look(page, "running-begun")
    running.report(0.45, "Page 2 of 3")
    page.reload()
    expect(headline(page)).to_have_text("Page 2 of 3")
    look(page, "running")
    coming = stage.entry()
    presence.beat("documents", [coming.job_id], LONG)
    assert get_line("documents").claim("w") == (coming.job_id, 0)
    page.clock.install()
    page.goto(f"{without_sockets.url}/entry/{coming.code}/")
    with page.expect_response("**/status.json*"):
        page.clock.fast_forward(4_000)
    expect(headline(page)).to_have_text("Your turn is coming up")
    look(page, "waiting-claimed-polling")


@pytest.mark.slow
def test_an_entry_that_is_over(site: Site, visitors: Visitors) -> None:
    page = visitors()
    stage = Stage(page.context, site.url)
    texts = stage.read()
    tables = stage.profiled()
    broken, unusable, stopped, silent, left, lost = (stage.entry() for _ in range(6))
    for entry in (broken, unusable, stopped, silent):
        assert entry.start("w")
    broken.fail(Reason.ERROR)
    unusable.fail(Reason.UNUSABLE, "No page of this document could be read: the file is damaged.")
    for entry in (stopped, left):
        entry.cancel()
    silent.abandon(Reason.CLOSED)
    lost.abandon(Reason.LOST)
    for name, entry, heading in (
        ("result-documents", texts, "Here is your result"),
        ("result-tables", tables, "Here is your result"),
        ("failed", broken, "This did not work"),
        ("failed-unusable", unusable, "This did not work"),
        ("stopped", stopped, "Stopped"),
        ("abandoned-running", silent, "Your place has passed"),
        ("cancelled", left, "You left the line"),
        ("abandoned", lost, "Your place has passed"),
    ):
        page.goto(f"/entry/{entry.code}/")
        expect(headline(page)).to_have_text(heading)
        look(page, name)


@pytest.mark.slow
def test_pages_that_say_no(site: Site, visitors: Visitors) -> None:
    page = visitors()
    stage = Stage(page.context, site.url)
    page.goto(f"/entry/{uuid.uuid4()}/")
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    look(page, "404")
    page.goto(f"{site.url.replace('127.0.0.1', 'localhost')}/")  # a name that the site does not know
    expect(page.get_by_role("heading", name="We could not understand that")).to_be_visible()
    look(page, "400", LIGHT)
    mine = stage.entry("tables")
    stage.session[SESSION_KEY] = "no name that we gave"
    stage.session.save()
    page.goto("/")
    expect(page.get_by_role("heading", name="Something broke on our side")).to_be_visible()
    look(page, "500", LIGHT)
    stage.session[SESSION_KEY] = stage.visitor.hex
    stage.session.save()
    mine.cancel()
    page.goto(f"/entry/{mine.code}/")
    mine.input.delete(save=False)
    page.get_by_role("button", name="Join again with the same file").click()
    expect(page.get_by_role("heading", name="No longer here")).to_be_visible()
    expect(page.get_by_text("Your input is no longer stored.")).to_be_visible()
    look(page, "410", LIGHT)
    page.goto(f"/entry/{stage.entry().code}/")
    page.context.clear_cookies()
    page.get_by_role("button", name="Leave the line").click()
    expect(page.get_by_role("heading", name="We could not be sure that this came from you")).to_be_visible()
    look(page, "403-csrf", LIGHT)
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": staff_session(), "url": site.url}])
    page.goto("/admin/queueing/entry/")
    expect(page.get_by_role("heading", name="This is not open to you")).to_be_visible()
    look(page, "403", LIGHT)


@pytest.mark.slow
def test_a_line_that_takes_nobody(site: Site, visitors: Visitors) -> None:
    """The form says so before a file is chosen; a form that was open before is answered with a page."""
    page = visitors()
    stage = Stage(page.context, site.url)
    early, earlier = page.context.new_page(), page.context.new_page()
    for form in (early, earlier):
        form.goto("/join/tables/")
    for number in range(2):
        stage.entry("tables", slot=number)
    early.bring_to_front()
    hand_in(early)
    expect(early.get_by_text("as many places in line")).to_be_visible()
    look(early, "429")
    page.bring_to_front()
    page.goto("/join/tables/")
    expect(page.get_by_text("as many places in line")).to_be_visible()
    look(page, "join-too-many")
    Entry.objects.filter(visitor=stage.visitor).update(visitor=None)  # who holds too many is told that first
    stage.others(19, "tables")
    earlier.bring_to_front()
    hand_in(earlier)
    expect(earlier.get_by_text("The line is full.")).to_be_visible()
    look(earlier, "503-full", LIGHT)
    page.bring_to_front()
    page.get_by_role("link", name="Look again").click()
    expect(page.get_by_text("The line is full.")).to_be_visible()
    expect(page.locator("#refusal")).to_be_focused()
    look(page, "join-full")


@pytest.mark.slow
def test_closed_doors_and_a_queue_that_is_away(troubled: Site, site: Site, visitors: Visitors) -> None:
    page = visitors(troubled.url)
    stage = Stage(page.context, troubled.url)
    entry, no_table, no_document = stage.entry(), stage.entry("tables"), stage.entry()
    for over in (no_table, no_document):
        over.cancel()
    page.goto("/")
    expect(page.get_by_text("Closed for the moment.")).to_be_visible()
    expect(page.get_by_text("The line cannot be seen right now.")).to_have_count(2)
    look(page, "home-closed-and-away")
    sentence = "The queue cannot be reached right now"  # of a closed line, too: nobody can tell
    for name, task, ended in (("closed", "tables", no_table), ("away", "documents", no_document)):
        page.goto(f"/join/{task}/")
        expect(page.get_by_text(sentence)).to_be_visible()
        expect(page.get_by_role("button", name="Join the line")).to_be_disabled()
        look(page, f"join-{name}", LIGHT)
        page.goto(f"/entry/{ended.code}/")
        page.get_by_role("button", name="Join again with the same file").click()
        expect(page.get_by_role("heading", name="Not right now")).to_be_visible()
        expect(page.get_by_text(sentence)).to_be_visible()
        look(page, f"503-{name}", LIGHT)
    page.goto(f"/entry/{entry.code}/")
    expect(headline(page)).to_have_text("Waiting")
    look(page, "waiting-away")


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
    page.clock.fast_forward(1_000 * (seconds_left(banner) - 35))  # the pictures may have taken long
    expect(banner).to_contain_text(re.compile("for 0:(2|3)"))
    while "urgent" not in (banner.get_attribute("class") or ""):
        page.clock.fast_forward(1_000)
    assert 20 <= seconds_left(banner) < 25
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
    with page.expect_websocket() as socket:
        page.goto(f"/entry/{entry.code}/")
    socket.value.wait_for_event("framereceived")
    page.clock.pause_at(page.evaluate("Date.now()") / 1_000 + 5)  # ten seconds pass here when the test says so
    spoken = page.get_by_role("status")
    assert spoken.get_attribute("aria-live") == "polite"
    for leaver, place in zip(ahead, ("5th", "4th", "3rd"), strict=False):
        ending.leave(leaver)
        expect(headline(page)).to_have_text(f"{place} in line")
        expect(spoken).to_have_text(re.compile(r"^5th in line\. .+ 4 ahead of you\.$"))
    page.clock.fast_forward(10_000)
    expect(spoken).to_contain_text("3rd in line.")
    for leaver in ahead[3:]:
        ending.leave(leaver)
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
    other.context.add_cookies(
        cast("list[SetCookieParam]", page.context.cookies())
    )  # the same visitor in a second window
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
            wait_for(partial(moves, page, expected))
    assert 0 < page.evaluate(LONGEST_MOTION) <= 5  # for the others it stops by itself (WCAG 2.2.2)


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
    tab_to(page, page.locator(".column summary").first)
    page.keyboard.press("Enter")
    expect(page.locator(".facts").first).to_be_visible()
    tab_to(page, page.get_by_role("link", name="Start with another file"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/join/tables/")


# Details


def headline(page: Page) -> Locator:
    return page.locator("#headline")


def moves(page: Page, expected: bool) -> bool:
    return page.evaluate("document.getAnimations().length > 0") is expected


def seconds_left(banner: Locator) -> int:
    """The seconds for which the place is kept, as the page says."""
    ((minutes, seconds),) = re.findall(r"for (\d):(\d\d)", banner.inner_text())
    return 60 * int(minutes) + int(seconds)


def hand_in(page: Page) -> None:
    page.locator("input[type=file]").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"})
    page.get_by_role("button", name="Join the line").click()


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the focus is there; what has it must be seen to have it."""
    expect(target).to_be_visible()  # some come with the page's script
    for _ in range(40):
        page.keyboard.press("Tab")
        if target.evaluate("(element) => element === document.activeElement"):
            assert target.evaluate(FOCUS_IS_SEEN), f"{target} does not show that it has the focus"
            return
    raise AssertionError(f"{target} is not reached with Tab")


# Seconds, by the stylesheet; Infinity where something moves without end.
LONGEST_MOTION = """() => {
    const styles = (rules) => [...rules].flatMap((r) => [r.style ?? [], ...styles(r.cssRules ?? [])].flat());
    const moving = styles(document.styleSheets[0].cssRules).filter((s) => parseFloat(s.animationDuration));
    const times = (s) => s.animationIterationCount === "infinite" ? Infinity : Number(s.animationIterationCount);
    return Math.max(...moving.map((s) => parseFloat(s.animationDuration) * times(s)));
}"""

# An outline around it; around what lies over it; or, where it is itself not to be seen, around what stands for it.
FOCUS_IS_SEEN = """(element) => {
    const outlined = (e, pseudo) => {
        const style = getComputedStyle(e, pseudo);
        return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    };
    if (getComputedStyle(element).opacity === "0") return outlined(element.parentElement);
    return outlined(element) || outlined(element, "::before");
}"""


def staff_session() -> str:
    """The session of a member of staff who may see nothing."""
    client = Client()
    client.force_login(User.objects.create_user("staff", is_staff=True))
    return client.cookies[settings.SESSION_COOKIE_NAME].value
