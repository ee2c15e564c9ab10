"""The admin as staff have it: the board that lives, acts with their question, and the width of a phone."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Page, ViewportSize, expect

from queueing import steering
from queueing.history.books import minute_of
from queueing.line import clients, presence
from queueing.line.keys import WORKER
from queueing.line.places import get_line
from queueing.line.workers import WORKER_TTL
from queueing.models import Entry
from queueing.states import Absence, Reason, Status
from tests.support import past
from tests.support.browser.looks import PICTURES, WCAG, WIDE, barriers, too_wide
from tests.support.browser.site import PATIENT, Site
from tests.support.browser.stage import Stage, report, start
from tests.support.entries import status_of
from tests.support.levers import set_levers
from tests.support.visitors import staff

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

PHONE = ViewportSize(width=390, height=844)
LIST = "/admin/queueing/entry/"
Visitors = Callable[..., Page]
HIDE = """Object.defineProperty(document, "hidden", { get: () => true });
    document.dispatchEvent(new Event("visibilitychange"))"""


@pytest.fixture
def site(deployed: Site, transactional_db: None, settings: object) -> Site:
    settings.QUEUEING = PATIENT  # type: ignore[attr-defined]
    return deployed


@pytest.fixture
def desk(site: Site, visitors: Visitors) -> Callable[..., Page]:
    """A browser in which somebody with these permissions is signed in."""

    def sign_in(*permissions: str) -> Page:
        page = visitors()
        name = settings.SESSION_COOKIE_NAME
        cookie = staff(*permissions).client.cookies[name].value
        page.context.add_cookies([{"name": name, "value": cookie, "url": site.url}])
        return page

    return sign_in


def part(page: Page, name: str, queue: str = "probe") -> str:
    return page.locator(f'[data-part="{queue}:{name}"]').inner_text()


def look(page: Page, name: str) -> None:
    """Pictures wide and on a phone, light and dark; barriers in what is ours; nothing wider than the phone."""
    PICTURES.mkdir(exist_ok=True)
    page.evaluate(AXE_SCRIPT)
    problems = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for size, width in (("wide", WIDE), ("narrow", PHONE)):
            page.set_viewport_size(width)
            page.screenshot(path=PICTURES / f"admin-{name}-{size}-{scheme}.png", full_page=True)
            problems[f"{size} {scheme}"] = barriers(page, WCAG) | too_wide(page)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(WIDE)
    found = {variant: found for variant, found in problems.items() if found}
    assert not found, f"{name}: {json.dumps(found, indent=1)}"


def test_the_board_lives_while_entries_join_are_held_run_and_fail(
    desk: Callable[..., Page], visitors: Visitors, site: Site
) -> None:
    stage = Stage(visitors().context, site.url)
    page = desk("view", "lines")
    page.goto("/admin/")
    cell = page.locator('[data-part="documents:present"]')
    expect(cell).to_have_text("0")
    cell.focus()
    page.evaluate("window.mark = document.querySelector('[data-part=\"documents:present\"]')")
    first, second = stage.others(2)
    expect(cell).to_have_text("2")
    presence.close("documents", second.job_id, Absence.LOST)
    expect(page.locator('[data-part="documents:held"]')).to_have_text("1")
    start(first)
    expect(page.locator('[data-part="documents:running"]')).to_have_text("1")
    assert first.fail(Reason.ERROR, "It broke.")
    expect(page.locator('[data-part="documents:running"]')).to_have_text("0")
    assert page.evaluate("window.mark === document.activeElement && window.mark.isConnected")
    assert page.locator("[data-live-status]").inner_text() == ""
    look(page, "index")
    page.get_by_role("link", name="1", exact=True).first.press("Enter")
    expect(page.get_by_role("heading", name="Entries", exact=True)).to_be_visible()


def test_a_hidden_page_asks_for_nothing_and_a_silent_server_is_told(desk: Callable[..., Page]) -> None:
    page = desk("lines")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "board.json" in request.url else None)
    page.goto("/admin/")
    page.wait_for_event("requestfinished", lambda request: "board.json" in request.url)
    page.route("**/board.json*", lambda route: route.abort())
    status = page.locator("[data-live-status]")
    expect(status).to_contain_text("Live data unavailable since", timeout=15_000)
    page.unroute("**/board.json*")
    expect(status).to_have_text("", timeout=15_000)
    page.evaluate(HIDE)
    page.wait_for_timeout(300)  # an answer that is under way
    before = len(asked)
    page.wait_for_timeout(2_500)
    assert len(asked) == before


def test_a_page_of_somebody_who_is_signed_out_says_so_and_asks_no_more(desk: Callable[..., Page]) -> None:
    page = desk("lines")
    page.goto("/admin/")
    page.context.clear_cookies()
    status = page.locator("[data-live-status]")
    expect(status).to_contain_text("You are signed out.", timeout=15_000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(2_500)
    assert asked == []


def test_a_whole_filter_is_ended_by_keys_and_its_question(
    desk: Callable[..., Page], visitors: Visitors, site: Site
) -> None:
    stage = Stage(visitors().context, site.url)
    people = stage.others(3)
    page = desk("view", "change")
    page.goto(f"{LIST}?status__exact=waiting")
    results = page.locator("#changelist-form .results")
    assert results.evaluate("it => it.scrollWidth <= it.clientWidth")  # no column is cut off at 1280 px
    look(page, "entries")
    page.get_by_label("Select all", exact=False).first.check()
    page.get_by_label("Action:").select_option("end")
    page.get_by_role("button", name="Run").press("Enter")
    expect(page.get_by_text("End: 3 entries.")).to_be_visible()
    look(page, "question")
    assert {status_of(entry) for entry in people} == {Status.WAITING}
    page.get_by_role("button", name="Yes, end").press("Enter")
    expect(page.get_by_text("Ended: 3 entries.")).to_be_visible()
    assert {status_of(entry) for entry in people} == {Status.CANCELLED}


def test_the_page_of_an_entry_lives(desk: Callable[..., Page], visitors: Visitors, site: Site) -> None:
    entry = Stage(visitors().context, site.url).running()
    page = desk("view", "content", "change")
    page.goto(f"{LIST}{entry.pk}/change/")
    state = page.locator('[data-part="state"]')
    expect(state).to_contain_text("Running")
    report(entry, 0.5, "Page 2 of 4")
    expect(state).to_contain_text("50%")
    look(page, "entry")
    assert entry.fail(Reason.TIMEOUT, "It took too long.")
    expect(page.locator('[data-part="timeline"]')).to_contain_text("The task ran out of time")


def _fill_hours(queue: str) -> None:
    """Something has happened in each minute of the last two hours."""
    past.fill(queue, minute_of(timezone.now()) - timedelta(minutes=130), 130)


def test_the_page_of_a_line_lives_and_is_searched_by_keys(
    desk: Callable[..., Page], visitors: Visitors, site: Site
) -> None:
    stage = Stage(visitors().context, site.url)
    _fill_hours("documents")
    first, second = stage.others(2)
    page = desk("view", "steer")
    page.goto("/admin/")
    page.get_by_role("rowheader", name="documents").get_by_role("link").press("Enter")
    rows = page.locator('[data-part="line"] tr')
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("2")
    expect(rows.nth(1)).to_contain_text("Present")
    link = rows.nth(0).get_by_role("link")
    link.focus()
    presence.close("documents", second.job_id, Absence.LOST)
    held = page.locator(f'[data-part="entry-{second.pk}:presence"]')
    expect(held).to_contain_text("Away, held for 1 min")
    before = held.inner_text()
    expect(held).not_to_have_text(before)  # it counts down
    (third,) = stage.others(1)
    expect(rows).to_have_count(3)
    expect(page.locator(f'[data-part="entry-{third.pk}:place"]')).to_have_text("2")
    expect(page.locator('[data-part="documents:held"]')).to_have_text("1")
    expect(link).to_be_focused()
    steering.steer("documents", steering.pause, "Paused.")
    expect(page.locator('[data-part="documents:state"]')).to_have_text("Paused")
    start(first)
    expect(rows).to_have_count(2)
    page.get_by_label("Find").fill(third.code.hex[:12])
    page.get_by_label("Find").press("Enter")
    expect(rows).to_have_count(1)
    expect(page.locator("g.mark title").first).to_contain_text("Paused, by command line")
    expect(page.locator("[data-live-status]")).to_have_text(["", ""])  # of now, and of the past
    look(page, "line")
    page.set_viewport_size(PHONE)
    expect(page.locator(f'[data-part="entry-{third.pk}:presence"]')).to_be_visible()


def test_the_refresh_of_the_board_is_small(desk: Callable[..., Page]) -> None:
    """The pictures come with the page, and again when a minute is over."""
    for queue in settings.QUEUEING_TASKS:
        _fill_hours(queue)
    page = desk("lines")
    with page.expect_response("**/board.json?*") as answer:
        page.goto("/admin/")
    assert "have=" in answer.value.url
    expect(page.locator("svg.spark").first).to_be_visible()
    assert "<svg" not in answer.value.text() or answer.value.json()["have"] not in answer.value.url


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
def test_lines_workers_and_failures_fit_a_phone(desk: Callable[..., Page], visitors: Visitors, site: Site) -> None:
    stage = Stage(visitors().context, site.url)
    stage.workers(2)
    for name in ("desk-0", "desk-1"):  # they give no further sign of life, and pictures take long
        clients.connection().set(WORKER.format(name=name), 1, ex=600)
    _fill_hours("documents")
    set_levers("probe", state="paused", sentence="Back at noon.")
    page = desk("view", "lines", "steer")
    page.goto("/admin/queueing/line/")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="documents"))
    for group in ("Now", "Last hour", "Trend"):
        expect(page.get_by_role("columnheader", name=group, exact=True)).to_be_visible()
    expect(row.locator('[data-part="documents:failed"]')).to_contain_text("about as much as in the hour before (60)")
    expect(row.locator("svg.spark polyline")).to_have_count(1)
    expect(page.locator('[data-part="probe:state"]')).to_have_text("Paused")
    page.get_by_text("What the columns count").press("Enter")
    look(page, "lines")
    page.goto(f"{LIST}workers/")
    expect(page.get_by_role("rowheader", name="desk-0")).to_be_visible()
    assert page.evaluate("document.querySelector('table.workers').scrollWidth <= innerWidth - 340")  # beside the menu
    look(page, "workers")
    page.get_by_role("button", name="Stop desk-0").click()
    expect(page.get_by_text("Nobody loses a place")).to_be_visible()
    page.goto(f"{LIST}failures/")
    look(page, "failures")


def test_the_focus_stays_on_a_button_whose_row_is_renewed(
    desk: Callable[..., Page], visitors: Visitors, site: Site
) -> None:
    stage = Stage(visitors().context, site.url)
    stage.workers(1)
    page = desk("lines", "steer")
    page.goto(f"{LIST}workers/")
    button = page.get_by_role("button", name="Quiet desk-0")
    button.focus()
    life = page.locator('[data-part="desk-0:life"]')
    before = life.inner_text()
    expect(life).not_to_have_text(before, timeout=15_000)
    expect(button).to_be_focused()
    page.evaluate("window.button = document.activeElement")
    clients.connection().expire(WORKER.format(name="desk-0"), WORKER_TTL)  # a sign of life: its row would go soon
    before = life.inner_text()
    expect(life).not_to_have_text(before, timeout=15_000)
    assert page.evaluate("window.button === document.activeElement")  # a press that has begun goes to the same button


def test_an_open_page_is_told_of_a_retry_and_leads_to_the_new_place(visitors: Visitors, site: Site) -> None:
    from django.contrib.auth.models import User

    from queueing.staff import ACTS, perform

    page = visitors()
    stage = Stage(page.context, site.url)
    entry = stage.running()
    assert entry.fail(Reason.ERROR, "It broke.")
    page.goto(f"/entry/{entry.code}/")
    expect(page.locator("#headline")).to_have_text("This did not work")
    expect(page.locator("#next")).to_be_hidden()
    again = page.get_by_role("button", name="Join again with the same file")
    expect(again).to_be_visible()
    perform(ACTS["retry"], [entry], User.objects.create_user("anna"))
    link = page.get_by_role("link", name="Go to the new place")
    expect(link).to_be_visible(timeout=25_000)  # the open page asks by itself
    expect(again).to_be_hidden()
    expect(page.locator("[aria-live=polite]").filter(has=link)).to_have_count(1)  # it is read aloud
    expect(page.locator("[data-live=advice]")).to_be_hidden()
    link.click()
    expect(page.locator("#headline")).to_have_text("You are next")
    assert get_line("documents").ids() != []
