"""A whole site in real processes, and real browsers in front of it."""

import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from queueing.models import Entry
from tests.browser.proxy import Proxy
from tests.conftest import Processes, wait_for
from tests.servers import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
SCAN = ROOT / "queueing/samples/scan.pdf"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """The system's Chromium. The back/forward cache is on, as people have it."""
    path = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if path is None:
        pytest.fail("The browser tests need Chromium; on Debian: apt-get install chromium")
    return {
        "executable_path": path,
        "args": ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
        "ignore_default_args": ["--disable-back-forward-cache"],
    }


class Site:
    """daphne and the keeper on the tests' database; workers when a test wants them."""

    def __init__(self, processes: Processes) -> None:
        self.processes = processes
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.web = self.start_web()
        processes.keeper()

    def start_web(self) -> subprocess.Popen[bytes]:
        web = self.processes.start(
            *("-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port), "--ping-interval", "2", "--ping-timeout", "1"),
            *("-v", "0", "config.asgi:application"),
        )
        wait_for(self._answers)
        return web

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:  # noqa: S310  # our own site
                return bool(answer.status == 200)
        except OSError:
            return False


@pytest.fixture
def site(processes: Processes) -> Site:
    return Site(processes)


@pytest.fixture
def visitors(browser: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """New visitors, each in a browser profile of their own. Whatever the console reports as an error fails the test."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def make(url: str | None = None) -> Page:
        context = browser.new_context(base_url=url or site.url, reduced_motion="reduce")
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: errors.append(message.text) if _is_error(message) else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield make
    for context in contexts:
        context.close()
    assert errors == []


def _is_error(message: Any) -> bool:
    """Connections that a test cuts are reported as errors too; those are its very subject."""
    return message.type == "error" and "WebSocket" not in message.text and "net::ERR" not in message.text


@pytest.fixture
def proxy(site: Site) -> Iterator[Proxy]:
    """A way to the site that can swallow every packet without closing anything."""
    made = Proxy(site.port)
    yield made
    made.stop()


def join(page: Page, label: str) -> Entry:
    """Hand in a file on the probe's form."""
    page.goto("/join/probe/")
    page.locator("input[type=file]").set_input_files(
        {"name": f"{label}.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"}
    )
    page.locator("input[name=label]").fill(label)
    page.locator("button[type=submit]:not([name])").click()
    page.wait_for_url("**/entry/**")
    return Entry.objects.get(code=page.url.rstrip("/").rsplit("/", 1)[1])
