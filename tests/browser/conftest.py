"""A whole site in real processes, and real browsers in front of it."""

import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from queueing.models import Entry
from tests.browser.proxy import Proxy
from tests.conftest import QUICK, Processes, wait_for
from tests.servers import free_port
from tools import machine

ROOT = Path(__file__).resolve().parent.parent.parent
SCAN = ROOT / "queueing/tasks/documents/sample/scan.pdf"
# The fixtures by which every browser test comes to its browser.
BROWSERS = {"browser_type_launch_args": machine.CHROMIUM, "firefox": machine.FIREFOX}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without its browser a test is skipped before it starts any process."""
    for fixture, browser in BROWSERS.items():
        if fixture in getattr(item, "fixturenames", ()):
            machine.require(browser, machine.FONT)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """The system's Chromium. The back/forward cache is on, as people have it."""
    return {
        "executable_path": machine.CHROMIUM.find(),
        "args": ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
        "ignore_default_args": ["--disable-back-forward-cache"],
    }


class Site:
    """daphne and the keeper on the tests' database; workers when a test wants them."""

    def __init__(self, processes: Processes, **environment: str) -> None:
        self.processes, self.environment = processes, environment
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.web = self.start_web()
        processes.keeper()

    def start_web(self) -> subprocess.Popen[bytes]:
        web = self.processes.start(
            *("-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port), "--ping-interval", "2", "--ping-timeout", "1"),
            *("-v", "0", "config.asgi:application"),
            **self.environment,
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


# A site as it is deployed, but for TLS: error pages of its own, static files hashed and compressed.
DEPLOYED = {"DEBUG": "0", "ALLOWED_HOSTS": "127.0.0.1", "SECURE_SSL_REDIRECT": "0", "SECURE_COOKIES": "0"}
# Clocks for pages that are looked at: nobody is lost, nothing that runs is taken for an orphan; and a line soon full.
PATIENT = QUICK | {"LOST_GRACE": 120, "LEASE": 60, "MAX_LINE": 20}


@pytest.fixture(scope="module")
def deployed(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for all tests of a module. It outlives what happens between them: Valkey flushed, tables emptied."""
    processes = Processes(tmp_path_factory.mktemp("site"))
    processes.use(PATIENT)
    collecting = processes.manage("collectstatic", "--noinput", "--verbosity", "0", **DEPLOYED)
    assert collecting.wait(60) == 0, processes.logs()
    yield Site(processes, **DEPLOYED)
    processes.stop()
    print(processes.logs())  # noqa: T201  # pytest shows it when a test of the module fails


@pytest.fixture
def visitors(browser: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """New visitors, each in a browser profile of their own. Whatever the console reports as an error fails the test."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def make(url: str | None = None, launched: Browser = browser, **options: Any) -> Page:
        context = launched.new_context(base_url=url or site.url, **{"reduced_motion": "reduce"} | options)
        contexts.append(context)
        context.add_init_script(TELL_VIOLATIONS)
        context.on("console", lambda message: errors.append(message.text) if _is_error(message) else None)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        return context.new_page()

    yield make
    for context in contexts:
        context.close()
    assert errors == []


# Whatever the content security policy forbids is an error in every browser test, also where the console is silent.
TELL_VIOLATIONS = """addEventListener("securitypolicyviolation", (event) =>
    console.error(`Content Security Policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`))"""


# When the page first polled, by its own clock.
FIRST_POLL = "performance.getEntriesByType('resource').find(({name}) => name.includes('status.json'))?.startTime"
# The letters in the tab's icon.
ICON = """new DOMParser().parseFromString(decodeURIComponent(
    document.querySelector("link[rel=icon]").href.split(",")[1] || "<svg/>"), "text/xml").documentElement.textContent"""


def _is_error(message: ConsoleMessage) -> bool:
    """Connections that a test cuts are reported as errors too; those are its very subject. So are the pages that
    answer with 404, 422, 429 or 503. A file that is not there is a mistake."""
    if message.type != "error":
        return False
    if "Content Security Policy" in message.text:
        return True
    if "WebSocket" in message.text or "net::ERR" in message.text:
        return False
    is_page = message.location["url"].partition("?")[0].endswith(("/", "/status.json"))
    return not (is_page and message.text.startswith("Failed to load resource"))


@pytest.fixture
def proxy(site: Site) -> Iterator[Proxy]:
    """A way to the site that can swallow every packet without closing anything."""
    made = Proxy(site.port)
    yield made
    made.stop()


@pytest.fixture
def refusing(site: Site) -> Iterator[Proxy]:
    """A way to the site that lets no WebSocket through."""
    made = Proxy(site.port, websockets="refused")
    yield made
    made.stop()


def join(page: Page, label: str, **fields: str) -> Entry:
    """Hand in a file on the probe's form; `fields` are its other ones."""
    page.goto("/join/probe/")
    page.locator("input[type=file]").set_input_files(
        {"name": f"{label}.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"}
    )
    for name, value in {"label": label, **fields}.items():
        page.locator(f"input[name={name}]").fill(value)
    page.locator("button[type=submit]:not([name])").click()
    page.wait_for_url("**/entry/**")
    return Entry.objects.get(code=page.url.rstrip("/").rsplit("/", 1)[1])
