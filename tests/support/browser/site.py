"""The whole site in real processes, and what a visitor's page does on it."""

import subprocess
import urllib.request

from playwright.sync_api import Page

from queueing.models import Entry
from tests.support.clocks import QUICK
from tests.support.processes import Processes
from tests.support.servers import free_port
from tests.support.waiting import wait_for

# A site as it is deployed, but for TLS: error pages of its own, static files hashed and compressed.
DEPLOYED = {"DEBUG": "0", "ALLOWED_HOSTS": "127.0.0.1", "SECURE_SSL_REDIRECT": "0", "SECURE_COOKIES": "0"}
# Clocks for pages that are looked at: nobody is lost, also if a beat is late on a busy machine; nothing that runs is
# taken for an orphan; and a line soon full.
PATIENT = QUICK | {"PRESENCE_TTL": 3, "LOST_GRACE": 120, "LEASE": 60, "MAX_LINE": 20}
# When the page first polled, by its own clock.
FIRST_POLL = "performance.getEntriesByType('resource').find(({name}) => name.includes('status.json'))?.startTime"
# The letters in the tab's icon.
ICON = """new DOMParser().parseFromString(decodeURIComponent(
    document.querySelector("link[rel=icon]").href.split(",")[1] || "<svg/>"), "text/xml").documentElement.textContent"""


class Site:
    """The web process and the keeper on the tests' database; workers when a test wants them."""

    def __init__(self, processes: Processes, **environment: str) -> None:
        self.processes, self.environment = processes, environment
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.web = self.start_web()
        processes.keeper()

    def start_web(self) -> subprocess.Popen[bytes]:
        web = self.processes.start(
            *("-m", "config.serve", "--port", str(self.port), "--ping-interval", "2", "--ping-timeout", "1", "-v", "0"),
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
