"""A page in doubt about its connection: sockets that are silent, late answers, servers that send it away."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, WebSocket, WebSocketRoute, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from rq.utils import as_text

from queueing import events
from queueing.line import clients
from queueing.line.places import Line, get_line
from queueing.models import EntryEvent
from tests.support.browser import stage
from tests.support.browser.proxy import Proxy
from tests.support.browser.site import PATIENT, Site
from tests.support.browser.stage import Stage
from tests.support.waiting import wait_for

Visitors = Callable[..., Page]

# Words enough that the page's new part does not fit into a frame.
LONG_RESULT = {"pages": [{"number": 1, "text": "long " * 5_000, "confidence": 0.9, "readable": True}]}

# Each pause before a new socket is as long as it may be, and its beginning is noted by the page's own clock: the test
# may hear of it late.
NOTE_PAUSES = "window.pauses = []; Math.random = () => { pauses.push(performance.now()); return 1; };"


# When the page polled, by its own clock, and how many polls are on their way. The longest of all pauses is drawn.
NOTE_POLLS = """
Math.random = () => 1;
window.asked = [];
window.pending = 0;
const ask = window.fetch;
window.fetch = async (...given) => {
  asked.push(performance.now());
  pending += 1;
  try {
    return await ask(...given);
  } finally {
    pending -= 1;
  }
};
"""


@pytest.fixture
def site(deployed: Site, transactional_db: None, settings: Any) -> Site:
    settings.QUEUEING = PATIENT
    return deployed


def notes(line: Line) -> list[str]:
    noted = map(as_text, line.client.lrange(line.keys.notes, 0, -1))
    return [note for note in noted if ":held:" in note or ":back:" in note]


def until(page: Page, condition: Callable[[], Any]) -> None:
    """Wait while the browser's events come in."""
    wait_for(lambda: (page.evaluate("1"), condition())[1])


def after(page: Page, milliseconds: int, condition: Callable[[], Any]) -> Any:
    """The condition, once the page's clock has gone on."""
    page.clock.run_for(milliseconds)
    return condition()


def reconnect(page: Page, key: str) -> WebSocket:
    """The network is said to be gone, and the visitor presses the key; the page's new socket.

    The old one is alive: a frame that comes before the key tells the page that all is well, and the key does nothing.
    """
    banner = page.locator("#connection")
    for _ in range(5):
        page.evaluate("dispatchEvent(new Event('offline'))")
        try:
            if key == "Enter":
                banner.get_by_role("button").focus(timeout=2_000)
            with page.expect_websocket(timeout=2_000) as opening:
                expect(banner).to_contain_text("Connection lost.")
                page.keyboard.press(key)
        except PlaywrightTimeout:
            expect(banner).to_be_hidden()
        else:
            return opening.value
    raise AssertionError(f"{key} does not reconnect")


def test_a_living_socket_is_replaced_without_a_moment_of_absence(site: Site, visitors: Visitors) -> None:
    """The network is said to be gone, and the visitor presses the key: the old socket ends after the new one began."""
    page = visitors()
    entry = Stage(page.context, site.url).entry("tables")
    with page.expect_websocket() as opening:
        page.goto(f"/entry/{entry.code}/")
    socket = opening.value
    socket.wait_for_event("framereceived")
    for key in ("Escape", "Enter"):
        successor = reconnect(page, key)
        until(page, socket.is_closed)
        socket = successor
        expect(page.locator("#connection")).to_be_hidden()
    assert page.evaluate("document.activeElement.id") == "headline"
    assert not socket.is_closed()
    line = get_line("tables")
    assert notes(line) == []
    assert not entry.events.filter(kind=EntryEvent.Kind.HELD).exists()


def test_without_a_connection_no_button_leads_away_from_the_page(site: Site, visitors: Visitors, proxy: Proxy) -> None:
    page = visitors(proxy.url)
    entry = Stage(page.context, proxy.url).entry("documents")
    with page.expect_websocket() as opening:
        page.goto(f"/entry/{entry.code}/")
    opening.value.wait_for_event("framereceived")
    proxy.cut()
    page.evaluate("dispatchEvent(new Event('offline'))")
    banner = page.locator("#connection")
    expect(banner).to_be_visible()
    page.get_by_role("button", name="Leave the line").click()
    expect(banner.get_by_role("button")).to_be_focused()
    entry.refresh_from_db()
    assert entry.is_live
    proxy.mend()
    page.keyboard.press("Enter")
    expect(banner).to_be_hidden()
    page.get_by_role("button", name="Leave the line").click()
    expect(page.locator("#headline")).to_have_text("You left the line")


def test_an_old_answer_does_not_pass_for_a_new_one_and_a_long_one_may_take_its_time(
    site: Site, visitors: Visitors
) -> None:
    page = visitors()
    held: list[Route] = []
    frames: list[str] = []

    def refuse_until_it_polls(socket: WebSocketRoute) -> None:
        def pass_on(frame: str | bytes) -> None:
            socket.send(frame)
            frames.append(as_text(frame))

        if held:
            socket.connect_to_server().on_message(pass_on)
        else:
            socket.close(code=4013)

    page.route_web_socket("**/ws/**", refuse_until_it_polls)
    page.route("**/status.json*", lambda route: held.append(route))  # noqa: PLW0108
    page.add_init_script("Math.random = () => 0")  # the next socket comes long before the poll is given up
    page.clock.install()
    entry = Stage(page.context, site.url).running("documents")
    page.goto(f"/entry/{entry.code}/")
    for seen in (held, frames):  # a poll is under way when the socket delivers
        until(page, partial(after, page, 300, partial(len, seen)))
    early, old = held[0], held[0].fetch()
    files = {"text_file": "text.txt", "pdf_file": "searchable.pdf", "confidence": 0.9}
    assert entry.succeed(LONG_RESULT | files)
    events.publish(entry.code)
    until(page, lambda: any('"succeeded"' in frame for frame in frames))  # the end, without the page's new part
    early.fulfill(response=old)
    until(page, partial(after, page, 100, lambda: len(held) > 1))
    page.clock.run_for(20_000)
    held[1].continue_()
    expect(page.locator("#headline")).to_have_text("Here is your result")


def test_an_old_answer_does_not_bring_back_what_is_over(site: Site, visitors: Visitors) -> None:
    """The poll's answer is made while the work is going on, and arrives after the socket has brought the result."""
    page = visitors()
    held: list[Route] = []
    may_connect: list[bool] = []
    page.route_web_socket(
        "**/ws/**", lambda socket: socket.connect_to_server() if may_connect else socket.close(code=4013)
    )
    page.route("**/status.json*", lambda route: held.append(route))  # noqa: PLW0108  # it sets attributes on it
    page.clock.install()
    entry = Stage(page.context, site.url).entry("documents")
    page.goto(f"/entry/{entry.code}/")
    until(page, partial(after, page, 300, lambda: held))
    stage.start(entry)
    old = held[0].fetch()
    stage.succeed(entry)
    may_connect.append(True)
    headline = page.locator("#headline")
    until(page, partial(after, page, 300, lambda: headline.inner_text() == "Here is your result"))
    held[0].fulfill(response=old)
    page.wait_for_timeout(500)
    expect(headline).to_have_text("Here is your result")


def test_a_visitor_who_is_sent_away_each_time_comes_back_ever_later(site: Site, visitors: Visitors) -> None:
    page = visitors()

    def send_away(socket: WebSocketRoute) -> None:
        socket.send('{"type": "tick"}')
        socket.close(code=4013)

    page.route_web_socket("**/ws/**", send_away)
    page.add_init_script(NOTE_PAUSES)
    entry = Stage(page.context, site.url).entry("tables")
    page.goto(f"/entry/{entry.code}/")
    wait_for(lambda: page.evaluate("pauses.length") >= 3)
    assert page.evaluate("pauses[2] - pauses[1]") > 1_800  # milliseconds: twice the first pause


def test_a_page_far_behind_has_tried_before_its_absence_can_be_noticed(site: Site, visitors: Visitors) -> None:
    """Also in a line of which the server could take only a part until then."""
    page, sockets, tries = visitors(), list[WebSocketRoute](), list[float]()
    page.route_web_socket("**/ws/**", lambda socket: sockets.append(socket))  # noqa: PLW0108  # it sets attributes on it
    page.add_init_script("Math.random = () => 1")
    entry = Stage(page.context, site.url).entry("tables")
    open_and_stop_the_clock(page, f"/entry/{entry.code}/")
    state = page.evaluate("JSON.parse(document.getElementById('entry').dataset.state)")
    for _ in range(2):
        until(page, partial(after, page, 250, lambda: sockets))
        tries.append(page.evaluate("performance.now()"))
        sockets[0].send(json.dumps({"type": "status", **state, "ahead": 100_000}))
        sockets.pop().close(code=4013)
    assert 8_000 <= tries[1] - tries[0] < 10_000


def test_a_page_whose_polls_are_turned_away_asks_less_often(site: Site, visitors: Visitors) -> None:
    page = visitors()
    page.route_web_socket("**/ws/**", lambda socket: socket.close(code=4013))
    page.route("**/status.json*", lambda route: route.fulfill(status=503))
    page.add_init_script(NOTE_POLLS)
    entry = Stage(page.context, site.url).entry("tables")
    open_and_stop_the_clock(page, f"/entry/{entry.code}/")
    assert gap_between_polls(page) >= 15_000
    page.unroute("**/status.json*")
    gap_between_polls(page)  # to the first that is answered
    assert 5_000 <= gap_between_polls(page) < 10_000


def open_and_stop_the_clock(page: Page, path: str) -> None:
    page.clock.install()
    page.goto(path)
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 0.1)  # seconds


def gap_between_polls(page: Page) -> float:
    """Milliseconds to the next poll, by the page's clock, which stands while a poll is on its way."""
    polls = max(2, page.evaluate("asked.length") + 1)
    while page.evaluate("asked.length") < polls:
        until(page, lambda: not page.evaluate("pending"))
        page.clock.run_for(250)
    *_, before, last = page.evaluate("asked")
    return float(last - before)


def test_a_stopped_request_does_not_leave_a_dead_button(site: Site, visitors: Visitors) -> None:
    page = visitors()
    page.clock.install()
    entry = Stage(page.context, site.url).entry("tables")
    page.goto(f"/entry/{entry.code}/")
    # The last word on each submission; nothing is sent, as when Escape was pressed in time.
    page.evaluate(
        """() => { window.held_back = [];
        addEventListener("submit", (event) => { held_back.push(event.defaultPrevented); event.preventDefault(); }); }"""
    )
    button = page.get_by_role("button", name="Leave the line")
    button.click()
    button.click()
    page.clock.run_for(5_000)
    button.click()
    assert page.evaluate("held_back") == [False, True, False]


def test_a_page_whose_browser_forbids_sockets_polls_and_says_goodbye(site: Site, browser: Browser) -> None:
    """Its constructor raises, as some browsers' does; so the whole of the page's script must not hang on it."""
    context = browser.new_context(base_url=site.url)
    context.add_init_script("WebSocket = class { constructor() { throw new DOMException('', 'SecurityError'); } }")
    page = context.new_page()
    page.clock.install()
    polls: list[Any] = []
    page.on("response", lambda answer: polls.append(answer) if "status.json" in answer.url else None)
    entry = Stage(context, site.url).entry("tables")
    page.goto(f"/entry/{entry.code}/")
    until(page, partial(after, page, 1_000, lambda: polls))
    line = get_line("tables")
    assert line.held_ids() == []
    page.goto("/")
    wait_for(lambda: line.held_ids() == [entry.job_id])
    assert clients.connection().hget(line.keys.absence, entry.job_id) == b"closed"
    context.close()
