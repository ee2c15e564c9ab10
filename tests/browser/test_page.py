"""The page itself, on a site as it is deployed: join, wait, run, result; leaving; being told; uploads; error pages."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, FilePayload, Locator, Page, Request, Route, expect

from queueing import ending, events, registry
from queueing.line.places import get_line
from queueing.models import Entry
from queueing.states import Reason, Status
from queueing.tasks.documents.source import NO_DOCUMENT
from queueing.testing.presence import watch_since
from queueing.web import sentences
from tests.support import probe
from tests.support.browser.proxy import Proxy
from tests.support.browser.site import ICON, PATIENT, Site, join
from tests.support.browser.stage import Stage, report, start, succeed, throttle
from tests.support.entries import status_of
from tests.support.probe import entered, hold
from tests.support.processes import Processes, horse_of, is_dead
from tests.support.waiting import wait_for

Visitors = Callable[..., Page]
CSV = FilePayload(name="a.csv", mimeType="text/csv", buffer=b"a,b\n1,2\n")


@pytest.fixture
def site(deployed: Site, transactional_db: None, settings: Any) -> Site:
    settings.QUEUEING = PATIENT
    return deployed


# From joining to the result


def test_places_waits_work_and_result_reach_every_page(site: Site, visitors: Visitors, processes: Processes) -> None:
    """Places and waits change in all browsers at once; then work and result. The tab tells it in a few letters."""
    first, second, third = visitors(), visitors(), visitors()
    Stage(first.context, site.url).past(61, 70, 82, queue="probe")
    gate = hold("one")
    one, two, three = join(first, "one"), join(second, "two"), join(third, "three")
    expect(headline(first)).to_have_text("You are next")
    expect(headline(second)).to_have_text("2nd in line")
    for page, number in ((first, "1"), (second, "2")):
        wait_for(partial(shows, page, f"({number}) Probe", number))
    expect(headline(third)).to_have_text("3rd in line")
    for page in (second, third):
        expect(wait_of(page)).to_have_text(sentences.NO_WORKER)
        expect(page.get_by_text("Keep this page open; you may switch tabs.")).to_be_visible()
    first.evaluate("window.same = true")
    processes.worker(PROBE_LOG=str(probe.log_path()))
    wait_for(lambda: entered("one"))
    expect(headline(first)).to_have_text("Working on one")
    expect(first.get_by_text("Keep this page open; you may switch tabs.")).to_be_visible()
    expect(headline(second)).to_have_text("You are next")
    expect(headline(third)).to_have_text("2nd in line")
    # The first is half done after a second or two, while such a task took a minute before: nobody knows.
    for page in (second, third):
        expect(wait_of(page)).to_have_text(re.compile(r"^Expected wait: .*minutes?\.$"))
    expect(second.locator("[data-live=detail]")).to_have_text("Nobody is ahead of you. 1 worker serves this line.")
    wait_for(partial(shows, second, "(1) Probe", "1"))
    expect(first).to_have_title(re.compile(r"^\d+% Probe$"))
    assert re.fullmatch(r"\d+", tab(first)[1])
    gate.unlink()
    for page, entry in ((first, one), (second, two), (third, three)):
        expect(headline(page)).to_have_text("Here is your result")
        wait_for(partial(shows, page, "✓ Probe", "✓"))
        assert status_of(entry) == Status.SUCCEEDED
    assert first.evaluate("window.same")  # it was one page all the time


def test_every_module_is_loaded_once_under_its_hashed_name(site: Site, visitors: Visitors) -> None:
    """Browsers keep hashed files for ever. A module under two names would be run twice."""
    page = visitors()
    entry = Stage(page.context, site.url).entry("probe")
    loaded: list[Request] = []
    page.on("request", lambda request: loaded.append(request) if request.resource_type == "script" else None)
    for path in ("/join/probe/", f"/entry/{entry.code}/"):
        loaded.clear()
        page.goto(path, wait_until="networkidle")
        names = [request.url.removeprefix(f"{site.url}/static/queueing/") for request in loaded]
        assert len(names) == len(set(names)) > 3
        assert all(re.fullmatch(r"\w+/\w+\.[0-9a-f]{12}\.js", name) for name in names), names
    expect(headline(page)).to_have_text("You are next")
    wait_for(partial(shows, page, "(1) Probe", "1"))


# Leaving and stopping


def test_leave_and_stop(site: Site, visitors: Visitors, processes: Processes) -> None:
    """By mouse and by keyboard. To stop is to end the process that does the work."""
    page = visitors()
    worker = processes.worker(PROBE_LOG=str(probe.log_path()))
    for means in (by_mouse, by_keyboard):
        entry = Stage(page.context, site.url).entry()
        page.goto(f"/entry/{entry.code}/")
        means(page, "Leave the line")
        expect(headline(page)).to_have_text("You left the line")
        assert (status_of(entry), entry.reason) == (Status.CANCELLED, Reason.LEFT)

        gate = hold(means.__name__)
        entry = join(page, means.__name__)
        expect(headline(page)).to_have_text(f"Working on {means.__name__}")
        horse = horse_of(worker)
        means(page, "Stop")
        expect(headline(page)).to_have_text("Stopped")
        assert (status_of(entry), entry.reason) == (Status.CANCELLED, Reason.LEFT)
        wait_for(partial(is_dead, horse))
        assert gate.exists()  # which would have kept it working
    wait_for(lambda: get_line("documents").all_ids() == get_line("probe").all_ids() == set())


def test_a_double_click_and_a_double_submit_make_one_entry(site: Site, visitors: Visitors) -> None:
    page = visitors()
    for twice in (
        lambda button: button.dblclick(),
        lambda button: button.evaluate("(button) => { button.click(); button.form.requestSubmit(); }"),
    ):
        page.goto("/join/probe/")
        page.locator("input[type=file]").set_input_files(CSV)
        twice(page.get_by_role("button", name="Join the line"))
        page.wait_for_url("**/entry/**")
        only = Entry.objects.live().get()
        # Again, from an entry that is over.
        page.get_by_role("button", name="Leave the line").click()
        twice(page.get_by_role("button", name="Join again with the same file"))
        expect(headline(page)).to_have_text("You are next")
        assert Entry.objects.live().get().pk != only.pk
        page.get_by_role("button", name="Leave the line").click()
        expect(headline(page)).to_have_text("You left the line")
    assert Entry.objects.count() == 4


def test_a_double_submit_without_javascript_makes_one_entry(site: Site, visitors: Visitors) -> None:
    page = visitors(java_script_enabled=False)
    page.goto("/join/probe/")
    page.locator("input[type=file]").set_input_files(CSV)
    page.get_by_role("button", name="Join the line").dblclick()
    page.wait_for_url("**/entry/**")
    assert Entry.objects.count() == 1


# Stay, or go and come back


def test_a_kept_place_is_there_in_the_same_browser_and_nowhere_else(site: Site, visitors: Visitors) -> None:
    keeper, leaver = visitors(), visitors()
    kept, left = join(keeper, "kept"), join(leaver, "left")
    keeper.get_by_role("button", name="Keep my place for 30 minutes, I will come back").click()
    expect(keeper.get_by_text("You may go away: your place is kept for 30 minutes.")).to_be_visible()
    expect(keeper.get_by_role("button", name="Keep my place")).to_have_count(0)
    address, context = keeper.url, keeper.context
    for page in (keeper, leaver):
        page.close()
    line = get_line("probe")
    wait_for(lambda: kept.job_id in line.held_ids() and left.job_id not in line.ids())  # held, or dropped already
    watch_since(1000)
    wait_for(lambda: status_of(left) == Status.ABANDONED)  # CLOSE_GRACE is over, for both
    assert line.held_ids() == [kept.job_id]
    stage = Stage(visitors().context, site.url)
    stage.others(1, "probe")
    back = context.new_page()
    back.goto("/")
    back.get_by_role("region", name="Your places").get_by_role("link", name="Probe").click()
    expect(headline(back)).to_have_text("You are next")  # and not the second
    assert back.url == address
    assert status_of(kept) == Status.WAITING
    stranger = visitors()
    answer = stranger.goto(address)
    assert answer
    assert answer.status == 404
    expect(stranger.get_by_text("A place in line belongs to the browser that took it.")).to_be_visible()


def test_a_place_is_kept_where_the_task_allows_it(site: Site, visitors: Visitors) -> None:
    page = visitors()
    stage = Stage(page.context, site.url)
    for name, allowed in (("documents", True), ("tables", False)):
        page.goto(f"/entry/{stage.entry(name).code}/")
        expect(page.get_by_role("button", name="Leave the line")).to_be_visible()
        assert page.get_by_role("button", name="Keep my place").is_visible() is allowed


# Being told

# Notes what the page asks of the browser, and lets it through.
OBSERVE = """
window.told = []; window.notes = 0; window.asked = [];
window.Notification = class extends Notification {
    constructor(title, options) { super(title, options); told.push([title, options.body]); }
    static requestPermission() { asked.push(navigator.userActivation.isActive); return super.requestPermission(); }
};
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...when) { notes += 1; return start.apply(this, when); };
"""


def test_a_visitor_who_asks_is_told_by_a_notification_and_a_sound(site: Site, visitors: Visitors, proxy: Proxy) -> None:
    page = visitors(proxy.url, permissions=["notifications"])
    page.add_init_script(OBSERVE)
    page.clock.install()
    stage = Stage(page.context, site.url)
    entry, other = stage.entry(), stage.entry()
    page.goto(f"/entry/{entry.code}/")
    bell = page.get_by_role("button", name="Tell me when it is my turn")
    expect(bell).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("asked") == []
    bell.click()
    expect(page.get_by_text("A notification and a sound will tell you.")).to_be_visible()
    assert page.evaluate("asked") == [True]  # on the click, and only then
    # A reload keeps the choice and asks nothing; the next touch of the page allows its sound.
    with page.expect_websocket() as socket:
        page.reload()
    socket.value.wait_for_event("framereceived")
    expect(bell).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("[asked, told, notes]") == [[], [], 0]
    page.keyboard.press("Shift")
    # The visitor goes to another tab. (Without its emulation of focus, which Playwright switches on for every page.)
    page.context.new_cdp_session(page).send("Emulation.setFocusEmulationEnabled", {"enabled": False})
    page.context.new_page().bring_to_front()
    assert page.evaluate("document.hasFocus()") is False
    place = "Read a scan\nscan.pdf"

    proxy.sever()
    page.clock.run_for(12_000)
    lost = wait_for(lambda: page.evaluate("told"))
    assert re.fullmatch(r"Connection lost\. Your place is kept for 1:([34]\d|50)\.", lost[0][0])
    proxy.mend()
    page.keyboard.press("Escape")
    expect(page.get_by_role("group", name="Connection")).to_be_hidden()

    start(entry)
    wait_for(lambda: page.evaluate("told.length") == 2)
    report(entry, 0.5, "Page 1 of 2")
    expect(page.get_by_role("button", name="Tell me when it is done", pressed=True)).to_be_visible()
    succeed(entry)
    wait_for(lambda: page.evaluate("told.length") == 3)
    assert page.evaluate("told.slice(1)") == [["It is your turn.", place], ["Here is your result", place]]
    wait_for(lambda: page.evaluate("notes") == 6)  # two each
    page.reload()
    expect(headline(page)).to_have_text("Here is your result")
    assert page.evaluate("told") == []

    page.goto(f"/entry/{other.code}/")  # the choice was for one place
    expect(bell).to_have_attribute("aria-pressed", "false")
    bell.click()
    start(other)
    wait_for(lambda: page.evaluate("told.length") == 1)
    other.fail(Reason.ERROR)
    ending.finish(other)
    wait_for(lambda: page.evaluate("told.length") == 2)
    assert page.evaluate("told[1]") == ["This did not work", place]


@pytest.mark.parametrize("browser_has", ["no permission", "no notifications"])
def test_without_notifications_the_sound_alone_tells(browser_has: str, site: Site, visitors: Visitors) -> None:
    page = visitors()
    page.add_init_script(OBSERVE)
    if browser_has == "no notifications":
        page.add_init_script("delete window.Notification")
    stage = Stage(page.context, site.url)
    entry, unasked = stage.entry(), stage.entry()
    page.goto(f"/entry/{entry.code}/")
    page.get_by_role("button", name="Tell me when it is my turn").click()
    expect(page.get_by_text("Notifications are off here: a sound will tell you.")).to_be_visible()
    start(entry)
    expect(headline(page)).to_have_text("Reading the pages…")
    wait_for(lambda: page.evaluate("notes") == 2)
    page.get_by_role("button", name="Tell me when it is done").click()  # no more
    succeed(entry)
    expect(headline(page)).to_have_text("Here is your result")
    page.goto(f"/entry/{unasked.code}/")
    start(unasked)
    expect(headline(page)).to_have_text("Reading the pages…")
    assert page.evaluate("[told, notes, asked]") == [[], 0, []]


# Handing in


def test_a_file_is_checked_in_the_browser_before_it_travels(site: Site, visitors: Visitors) -> None:
    page = visitors()
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    page.goto("/join/documents/")
    limit = page.locator("#join").get_attribute("data-max-bytes")
    assert limit == "52428800"  # MAX_UPLOAD_BYTES, as the form says on the server
    page.get_by_role("button", name="Join the line").click()
    expect(page.get_by_role("alert")).to_have_text("Please choose a file first.")
    expect(page.get_by_role("status")).to_be_empty()
    drop(page, "empty.pdf", 0)
    expect(page.get_by_text("This file is empty.")).to_be_visible()
    drop(page, "large.pdf", int(limit) + 1)
    expect(page.get_by_text("This file is too large; the limit is 50 MB.")).to_be_visible()
    page.get_by_role("button", name="Join the line").click()
    expect(page.get_by_label("Your document")).to_be_focused()
    expect(page.get_by_label("Your document")).to_have_attribute("aria-invalid", "true")
    # By its content, as on the server: a file that is dropped passes by the dialogue and its list of endings.
    drop(page, "wrong.pdf", 9)
    expect(page.locator("[data-chosen]")).to_have_text("wrong.pdf 9 bytes")
    expect(page.get_by_role("alert")).to_have_text(NO_DOCUMENT)
    page.get_by_role("button", name="Join the line").click()
    expect(page.get_by_label("Your document")).to_be_focused()
    assert posts == []
    drop(page, "broken.dat", 9, "%PDF-1.7")
    expect(page.get_by_role("alert")).to_be_empty()
    page.get_by_role("button", name="Join the line").click()
    expect(page.get_by_role("alert")).to_have_text("This PDF is damaged and cannot be opened.")
    assert len(posts) == 1
    # What a proxy on the way says in the site's place is not for the visitor.
    for status, sentence in ((413, "This file is too large to be sent here."), (502, "The site is being restarted")):
        page.route("**/join/**", answer_like_a_proxy(status))
        page.get_by_role("button", name="Join the line").click()
        expect(page.get_by_role("alert")).to_contain_text(sentence)
        expect(page.get_by_role("heading")).to_have_text("Read a scan")
        expect(page.locator("[data-chosen]")).to_have_text("broken.dat 9 bytes")
    assert Entry.objects.count() == 0


def test_browser_and_server_refuse_the_same_files(site: Site, visitors: Visitors) -> None:
    page = visitors()
    heads = [
        b"%PDF-1.7",
        b"x" * 1019 + b"%PDF-",
        b"x" * 1020 + b"%PDF-",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG",
        b"RIFF1234WEBP",
    ]
    heads += [
        b"II*\0",
        b"II+\0",
        b"\xff\xd8\xff\xe0",
        b"\n<!DocType HTML>",
        b"PK\x03\x04" + bytes(99) + b"xl/",
        b"\x1f\x8b",
    ]
    heads += [b"GIF89a", b"BM" + bytes(12) + b"(\0\0\0", b"BMW 320", b"\0\0\0\x18ftypheic", b"\0\0\0\x18ftypisom"]
    heads += [b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"]
    heads += [b"\xef\xbb\xbf <Table>", b"\xa0<html>", b"\x1c<html>", b"\x0b\x0c<?XML ?>", b"<tables>", b"<tr\xa0>"]
    heads += [b'\xef\xbb\xbf[\r\n  {"a": 1}', b"\xcf\xbb\xbf{\n1,", b"[\n-1.5e3,\n", b'{\n "\xff\xb5\xdf": 1}']
    heads += [b"-- MySQL dump 10", b"--\n-- PostgreSQL", b"/* \xff */ insert into t values (1)", b"Set name;price\n"]
    heads += [
        b"SET x;\nCREATE table a",
        b"create tables\n",
        b"drop\xa0table a",
        b'{"a": 1}',
        b"<none>,5",
        b"[mm]\n1",
        b"{\\rtf1",
    ]
    heads += [b"{\\rtf1", b"%!PS-Adobe", b"begin:vcard", b"<DIV class=x>"]
    heads += [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"SQLite format 3\0", b"a,b\n1,2\n", b""]
    for name in ("documents", "tables"):
        page.goto(f"/join/{name}/")
        there = page.evaluate(
            """(heads) => heads.map((head) => JSON.parse(document.forms.join.dataset.refusedHeads)
                .find(([pattern]) => new RegExp(`^(?:${pattern})`, "is").test(head))?.[1] ?? "")""",
            [head.decode("latin-1") for head in heads],
        )
        assert there == [registry.get_task(name).form.refusal_of(head) for head in heads]


def test_a_dropped_file_is_sent_with_a_progress_bar(site: Site, visitors: Visitors, proxy: Proxy) -> None:
    """A sending can be stopped; a connection that swallows it is given up in time. A repeat makes no second entry."""
    page = visitors(proxy.url)
    page.clock.install()
    page.goto("/join/probe/")
    join_button = page.get_by_role("button", name="Join the line")
    drop(page, "big.csv", 1_500_000, also=2)
    expect(page.get_by_role("status")).to_have_text(
        "big.csv 1.4 MB Only one file can be taken: this is the first of 3."
    )
    throttle(page, 50_000)
    join_button.click()
    bar = page.get_by_role("progressbar", name=re.compile("Sending your file: .* of 1.4 MB"))
    expect(bar).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("Sending your file")
    wait_for(lambda: 0 < bar.evaluate("(bar) => bar.value") < 1)
    expect(join_button).to_be_disabled()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status")).to_have_text("Stopped. Your file is still chosen.")
    expect(page.locator("[data-upload]")).to_be_hidden()
    expect(join_button).to_be_focused()
    page.keyboard.press("Enter")
    text = page.locator("[data-upload-text]")
    expect(text).to_have_text(re.compile("of 1.4 MB"))
    for _ in range(2):  # it goes on, and each step gives it time again
        page.clock.fast_forward(20_000)
        before = text.text_content() or ""
        expect(text).not_to_have_text(before)
    expect(page.get_by_role("alert")).to_be_empty()
    page.clock.fast_forward(31_000)
    expect(page.get_by_role("alert")).to_contain_text("There has been no answer for a while. Please try again")
    drop(page, "small.csv", 1000)
    proxy.cut()
    join_button.click()
    expect(text).to_have_text("Sent. Looking into your file")
    expect(page.get_by_role("status")).to_have_text("Sent. Looking into your file")
    page.clock.fast_forward(58_000)
    expect(page.get_by_role("alert")).to_be_empty()
    page.clock.fast_forward(4_000)
    expect(page.get_by_role("alert")).to_contain_text("There has been no answer for a while.")
    expect(join_button).to_be_focused()
    proxy.mend()
    page.keyboard.press("Enter")
    page.wait_for_url("**/entry/**", wait_until="commit")
    assert Entry.objects.get().input.size == 1000


def test_a_large_file_stays_here_while_the_line_takes_nobody(site: Site, visitors: Visitors) -> None:
    """The form is older than the refusal. What was chosen and filled in is kept until there is room."""
    page = visitors()
    stage = Stage(page.context, site.url)
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    page.goto("/join/probe/")
    page.locator("input[name=label]").fill("mine")
    drop(page, "big.csv", 1_500_000)
    mine = [stage.entry("probe", slot=number) for number in range(2)]
    page.get_by_role("button", name="Join the line").click()
    expect(page.locator("#refusal")).to_be_focused()
    expect(page.locator("#refusal")).to_contain_text("You already have as many places in line as one visitor may hold.")
    expect(page.get_by_role("button", name="Join the line")).to_be_disabled()
    assert posts == []
    ending.leave(mine[0])
    page.get_by_role("link", name="Look again").click()
    expect(page.get_by_role("button", name="Join the line")).to_be_focused()
    expect(page.get_by_text("1 in line")).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url("**/entry/**", wait_until="commit")
    entry = Entry.objects.get(input_name="big.csv")
    assert (entry.input.size, entry.kwargs["label"]) == (1_500_000, "mine")


# Results


def test_a_scan_is_shown_beside_its_text_to_copy_and_to_take_away(site: Site, visitors: Visitors) -> None:
    page = visitors(permissions=["clipboard-read", "clipboard-write"])
    entry = Stage(page.context, site.url).read()
    page.goto(f"/entry/{entry.code}/")
    first = page.locator("#page-1")
    picture, text = first.get_by_role("img").bounding_box(), first.locator(".page-text").bounding_box()
    assert picture
    assert text
    assert picture["x"] + picture["width"] < text["x"]
    assert abs(picture["y"] - text["y"]) < 50
    assert first.get_by_role("img").evaluate("async (image) => { await image.decode(); return image.naturalWidth; }")
    expect(page.get_by_text("This page is damaged.")).to_be_visible()
    for name, source in (("Copy page 2", "#page-2-text"), ("Copy the whole text", "#whole-text")):
        page.get_by_role("button", name=name).click()
        expect(page.locator(f"[data-copy='{source}']")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == page.locator(source).text_content()
    # Where there is no clipboard, as without https.
    page.evaluate("delete Navigator.prototype.clipboard")
    page.get_by_role("button", name="Copy page 1").click()
    expect(page.locator("#page-1 button")).to_have_text("Please select it by hand")
    expect(page.locator("#page-1 button")).to_have_text("Copy page 1")
    for name, kind in (("Text file (.txt)", b"The spring meeting"), ("Searchable PDF", b"%PDF-")):
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        assert download.value.path().read_bytes().startswith(kind)
    page.get_by_role("link", name="Start with another file").click()
    page.wait_for_url("**/join/documents/")


@pytest.mark.slow
def test_a_table_is_shown_with_its_charts(site: Site, visitors: Visitors, processes: Processes) -> None:
    page = visitors()
    page.goto("/join/tables/")
    page.get_by_role("button", name="Try it with our sample").click()
    expect(headline(page)).to_have_text("You are next")
    processes.worker("tables")
    expect(headline(page)).to_have_text("Here is your result", timeout=30_000)
    for column in page.locator(".column > details > summary").all():
        column.click()
    charts = page.get_by_role("img", name=re.compile("."))
    assert charts.count() >= 12
    assert all(box and box["width"] > 100 for box in (chart.bounding_box() for chart in charts.all()[:12]))
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the whole profile (JSON)").click()
    assert download.value.suggested_filename == "profile.json"


# What goes wrong


@pytest.mark.slow
def test_error_pages_have_the_look_of_the_others_and_say_what_to_do(site: Site, visitors: Visitors) -> None:
    page = visitors()
    stage = Stage(page.context, site.url)
    for path in ("/nothing/", "/join/nothing/", "/entry/1/"):
        answer = page.goto(path)
        assert answer
        assert answer.status == 404
        expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
        expect(page.get_by_role("link", name="All tasks")).to_be_visible()
    for number in range(2):
        stage.entry("probe", slot=number)
    with page.expect_response(lambda response: response.request.method == "POST") as refused:
        send(page)
    assert (refused.value.status, refused.value.headers["retry-after"]) == (429, "30")
    expect(page.get_by_text("You already have as many places in line as one visitor may hold.")).to_be_visible()
    expect(page.get_by_text("Wait until one of them is done, or leave one of them.")).to_be_visible()
    expect(page.get_by_role("link", name="Probe")).to_have_count(2)
    Entry.objects.filter(visitor=stage.visitor).update(visitor=None)  # who holds too many is told that first
    stage.others(18, "probe")
    with page.expect_response(lambda response: response.request.method == "POST") as refused:
        send(page)
    assert (refused.value.status, refused.value.headers["retry-after"]) == (503, "60")
    expect(page.get_by_text("It is worth trying again in 60 seconds.")).to_be_visible()
    page.get_by_role("link", name="All tasks").click()
    expect(page.get_by_role("heading", name="Hand it in, and watch it get done")).to_be_visible()


def test_an_entry_that_was_deleted_says_so(site: Site, visitors: Visitors) -> None:
    page = visitors()
    entry = Stage(page.context, site.url).entry()
    page.goto(f"/entry/{entry.code}/")
    expect(headline(page)).to_have_text("You are next")
    Entry.objects.filter(pk=entry.pk).delete()
    events.publish(entry.code)
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible(timeout=15_000)
    expect(page.get_by_text("results are deleted after a while, so it may also be gone")).to_be_visible()


def test_what_is_inline_does_not_run(site: Site, browser: Browser) -> None:
    context = browser.new_context(base_url=site.url)
    page = context.new_page()
    for path in ("/", "/join/probe/"):
        page.goto(path)
        blocked = page.evaluate(
            """() => new Promise((resolve) => {
                addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
                const script = document.createElement("script");
                script.textContent = "window.ran = true";
                document.body.append(script);
            })"""
        )
        assert blocked == "script-src-elem"
        assert page.evaluate("window.ran") is None
    context.close()


# Details


def headline(page: Page) -> Locator:
    return page.locator("#headline")


def wait_of(page: Page) -> Locator:
    return page.locator("[data-live=wait]")


def tab(page: Page) -> tuple[str, str]:
    """The signs of a tab in the background: its title, and the letters in its icon."""
    return page.title(), page.evaluate(ICON)


def shows(page: Page, title: str, letters: str) -> bool:
    """True if the tab has these signs. They come with the page's script, while its texts come with the page itself."""
    return tab(page) == (title, letters)


def send(page: Page) -> None:
    """As from a form that was open before the line refused; the button of a newer one is disabled."""
    page.goto("/join/probe/")
    page.locator("input[type=file]").set_input_files(CSV)
    page.locator("#join").evaluate("(form) => form.requestSubmit()")


def answer_like_a_proxy(status: int) -> Callable[[Route], None]:
    """As a proxy does that does not let a request through."""
    return lambda route: route.fulfill(status=status, content_type="text/html", body="<h1>nginx</h1>")


def by_mouse(page: Page, name: str) -> None:
    """Twice, as some do with every button."""
    page.get_by_role("button", name=name).dblclick()


def by_keyboard(page: Page, name: str) -> None:
    """From the top of the page, as somebody gets there who has no mouse."""
    page.evaluate("document.activeElement.blur()")
    button = page.get_by_role("button", name=name)
    expect(button).to_be_visible()
    for _ in range(12):
        page.keyboard.press("Tab")
        if button.evaluate("(button) => button === document.activeElement"):
            break
    expect(button).to_be_focused()
    page.keyboard.press("Enter")


def drop(page: Page, name: str, size: int, head: str = "", also: int = 0) -> None:
    """Drop a file on the page, beside its field; and some others with it."""
    page.evaluate(
        """([name, size, head, also]) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([head, new Uint8Array(size - head.length).fill(120)], name));
            for (let other = 0; other < also; other += 1) dataTransfer.items.add(new File(["x"], "other.csv"));
            for (const type of ["dragenter", "dragover", "drop"])
                document.querySelector("h1").dispatchEvent(
                    new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer }));
        }""",
        [name, size, head, also],
    )
