"""A browser spoken to in its own protocol, for what Playwright has no way to: Chromium over CDP, Firefox over BiDi.

Playwright tells Chromium that every page is in front and has the focus: none of its pages is ever hidden, throttled or
frozen. And it drives no Firefox but its own.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.support.browser.site import ICON
from tests.support.visitors import Visitor
from tests.support.waiting import wait_for


class RemoteError(Exception):
    """The browser refused a command."""


class Remote:
    """The connection to a browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.last_id = 0
        self.violations: list[dict[str, Any]] = []

    def call(self, method: str, *, session: str | None = None, **params: Any) -> dict[str, Any]:
        self.last_id += 1
        message = {"id": self.last_id, "method": method, "params": params}
        self.socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:  # other events are passed over
            text = str(self.socket.recv(timeout=30))
            answer = json.loads(text)
            if answer.get("id") == self.last_id:
                break
            if "Content Security Policy" in text:
                self.violations.append(answer)
        if "error" in answer:
            raise RemoteError(f"{method}: {answer}")
        result: dict[str, Any] = answer["result"]
        return result


@contextmanager
def start(command: list[str], log: Path, path: str = "") -> Iterator[Remote]:
    """A browser process, which ends with the block."""
    with log.open("wb") as output:  # a pipe that nobody reads would stop the browser when it is full
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        with connect(_address_in(log) + path, max_size=None, proxy=None, ping_interval=None) as socket:
            yield Remote(socket)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _address_in(log: Path) -> str:
    """Both browsers print where they listen; a port that we chose could be taken meanwhile."""
    return str(wait_for(lambda: re.search(r"listening on (ws://\S+)\s", log.read_text(errors="replace")))[1])


def start_chromium(path: str, folder: Path) -> AbstractContextManager[Remote]:
    """As people have it: nothing that holds back hidden tabs is switched off. But the timers of a tab that is hidden
    while it loads fire once a minute after one second already, not after five minutes."""
    return start(
        [
            *(path, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
            "--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/1",
            *(f"--user-data-dir={folder / 'profile'}", "--remote-debugging-port=0", "about:blank"),
        ],
        folder / "chromium.log",
    )


class Tab:
    """A tab of a Chromium, in a profile and session of the visitor's own."""

    def __init__(self, remote: Remote, url: str, visitor: Visitor) -> None:
        self.remote, self.url = remote, url
        self.profile = remote.call("Target.createBrowserContext")["browserContextId"]
        self.target = remote.call("Target.createTarget", url="about:blank", browserContextId=self.profile)["targetId"]
        self.session = remote.call("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        self.call("Log.enable")  # here the browser reports what the content security policy forbids
        value = visitor.client.cookies["sessionid"].value
        self.call("Network.setCookie", name="sessionid", value=value, url=url)
        self.call("Page.navigate", url=url)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self.remote.call(method, session=self.session, **params)

    def evaluate(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RemoteError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def text(self, selector: str) -> str:
        return str(self.evaluate(f"document.querySelector('{selector}')?.textContent ?? ''"))

    def shown(self) -> tuple[str, str]:
        """The signs of a tab in the background: its title, as the browser has it, and the letters in its icon."""
        title = self.remote.call("Target.getTargetInfo", targetId=self.target)["targetInfo"]["title"]
        return title, self.evaluate(ICON)

    def hide(self) -> None:
        """Another tab of the same window comes to the front."""
        self.remote.call("Target.createTarget", url="about:blank", browserContextId=self.profile)
        wait_for(lambda: self.evaluate("document.visibilityState") == "hidden")

    def reload(self) -> None:
        """In front, until the new page is there. It is still loading."""
        self.remote.call("Target.activateTarget", targetId=self.target)
        self.call("Page.navigate", url=self.url)

    def freeze(self) -> None:
        self.call("Page.setWebLifecycleState", state="frozen")

    def resume(self) -> None:
        self.call("Page.setWebLifecycleState", state="active")
