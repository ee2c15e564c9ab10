"""A whole site in real processes, and real browsers in front of it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support.browser.console import TELL_VIOLATIONS, is_error
from tests.support.browser.proxy import Proxy
from tests.support.browser.site import DEPLOYED, PATIENT, Site
from tests.support.processes import Processes
from tools import machine

expect.set_options(timeout=30_000)  # scripts of a page load late on a busy machine; what must be quick says so itself
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


@pytest.fixture
def site(processes: Processes) -> Site:
    return Site(processes)


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
        context.on("console", lambda message: errors.append(message.text) if is_error(message) else None)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        return context.new_page()

    yield make
    for context in contexts:
        context.close()
    assert errors == []


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
