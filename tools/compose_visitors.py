"""Visitors of the site in containers: real sockets through the proxy, over TLS."""

import http.client
import json
import logging
import re
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress
from http.cookiejar import CookieJar
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

FINAL = {"succeeded", "failed", "cancelled", "abandoned"}
AWAY = (OSError, http.client.HTTPException)  # urllib's own errors, and those of sockets, are OSErrors
TIMEOUT = 15.0
logging.getLogger("websockets").disabled = True  # it tells each connection that was cut


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Visitor:
    """One browser session. After `join` its page is open: a socket that connects again when it was cut."""

    def __init__(self, url: str, trust: ssl.SSLContext) -> None:
        self.url, self.trust, self.cookies = url, trust, CookieJar()
        handlers = (urllib.request.HTTPCookieProcessor(self.cookies), urllib.request.HTTPSHandler(context=trust))
        self.opener = urllib.request.build_opener(_NoRedirect, *handlers)
        self.path, self.refusals = "", list[int]()
        self.fields: dict[str, str] = {}  # of the form
        self.page = threading.Thread(target=self._keep_open, daemon=True)
        self.closed, self.heard = threading.Event(), threading.Event()

    def join(self, line: str) -> bool:
        """Hand in the sample; True: it was acknowledged. Raises what AWAY names, if the site does not answer.

        The form is read once and may be sent again: its code makes one entry of all that arrive.
        """
        status = 200
        if not self.fields:
            status, form, _ = self._ask(f"/join/{line}/")
            found = re.findall(r'name="(csrfmiddlewaretoken|code)" value="([^"]+)"', form.decode())
            self.fields = dict(found)
        if self.fields:
            body = urllib.parse.urlencode(self.fields | {"sample": "1"}).encode()
            status, _, self.path = self._ask(f"/join/{line}/", body)
        if not self.path:
            self.refusals.append(status)
            return False
        self.page.start()
        return True

    def state(self) -> dict[str, Any]:
        """The state of the entry; {} while the site does not answer, or says that it cannot."""
        with suppress(*AWAY, ValueError):
            status, body, _ = self._ask(f"{self.path}status.json")
            if status == 200:
                found: dict[str, Any] = json.loads(body)
                return found
        return {}

    def has_ended(self) -> bool:
        return self.state().get("status") in FINAL

    def ready(self) -> str:
        """The site's words about its parts; empty if it does not answer."""
        with suppress(*AWAY):
            return self._ask("/readyz")[1].decode()
        return ""

    def result(self) -> int:
        """The status of the page of the result."""
        return self._ask(f"{self.path}result/")[0]

    def close(self) -> None:
        self.closed.set()
        if self.page.is_alive():
            self.page.join(TIMEOUT)

    def _keep_open(self) -> None:
        while not self.closed.is_set():
            with suppress(WebSocketException, *AWAY, TimeoutError), self._socket() as socket:
                while not self.closed.is_set():
                    with suppress(TimeoutError):
                        socket.recv(timeout=0.5)
                        self.heard.set()
            self.closed.wait(1)

    def _socket(self) -> Any:
        headers = {"Cookie": "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.cookies)}
        address = f"wss{self.url.removeprefix('https')}/ws{self.path}"
        options: dict[str, Any] = {"additional_headers": headers, "origin": self.url, "proxy": None}
        return connect(address, ssl=self.trust, open_timeout=TIMEOUT, **options)

    def _ask(self, path: str, body: bytes | None = None) -> tuple[int, bytes, str]:
        request = urllib.request.Request(self.url + path, body, {"Origin": self.url})  # noqa: S310  # our own site
        try:
            answer = self.opener.open(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return int(answer.status), answer.read(), answer.headers.get("Location") or ""
