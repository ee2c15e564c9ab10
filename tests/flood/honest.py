"""Honest visitors: each joins from an address of its own, waits with an open page, and takes the result."""

import http.client
import json
import threading
import time
from dataclasses import dataclass, field

from websockets.exceptions import WebSocketException

from tests.flood.browser import Browser

TASK = "tables"
TABLE = b"name,amount,day\n" + b"".join(
    b"person %d,%d.5,2026-01-%02d\n" % (n, n % 97, n % 28 + 1) for n in range(200_000)
)
FINAL = {"succeeded", "failed", "cancelled", "abandoned"}


@dataclass
class Visit:
    """What one visitor saw. Seconds; None: it never came to that."""

    address: str
    join: float | None = None  # for the answer to the form
    wait: float | None = None  # from the answer to the first sign that the task runs, or has run
    total: float | None = None  # from the answer to the end
    end: str = ""  # the last status, or why there was none
    behind: int = 0  # entries ahead at the first look
    notes: list[str] = field(default_factory=list)

    @property
    def is_served(self) -> bool:
        return self.end == "succeeded"


def visits(port: int, addresses: list[str], interval: float) -> list[Visit]:
    """Visitors that come one after the other at this interval (seconds); returns when all have ended."""
    found = [Visit(address) for address in addresses]
    threads = []
    for visit in found:
        threads.append(threading.Thread(target=_visit, args=(visit, port), daemon=True))
        threads[-1].start()
        time.sleep(interval)
    for thread in threads:
        thread.join(600)
    return found


def _visit(visit: Visit, port: int) -> None:
    try:
        _go(visit, Browser(visit.address, port))
    except (OSError, http.client.HTTPException, WebSocketException) as error:
        visit.end = f"{type(error).__name__}: {error}"


def _go(visit: Visit, browser: Browser) -> None:
    browser.form(TASK)
    began = time.monotonic()
    answer = browser.post(f"/join/{TASK}/", ("a.csv", TABLE))
    visit.join = time.monotonic() - began
    if answer.status != 303:
        visit.end = f"refused with {answer.status}"
        return
    joined = time.monotonic()
    browser.get(answer.location)
    while visit.end not in FINAL:  # a page whose socket ends connects again
        try:
            _watch(visit, browser, answer.location, joined)
        except WebSocketException as error:
            visit.notes.append(repr(error))
            time.sleep(1)
    visit.total = time.monotonic() - joined
    if visit.is_served and browser.get(f"{answer.location}result/").status != 200:
        visit.end = "no result"


def _watch(visit: Visit, browser: Browser, path: str, joined: float) -> None:
    """Read the page's socket until the entry has ended."""
    with browser.open(path) as page:
        while visit.end not in FINAL:
            frame = json.loads(page.recv(timeout=600))
            if "status" not in frame:
                continue
            if not visit.end:
                visit.behind = frame.get("ahead") or 0
            visit.end = frame["status"]
            if visit.end != "waiting" and visit.wait is None:
                visit.wait = time.monotonic() - joined
