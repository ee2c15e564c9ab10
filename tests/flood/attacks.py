"""The attacks. Each is a function that a few threads repeat until the flood ends; answers are counted."""

import http.client
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection

from tests.flood.browser import Browser
from tests.flood.honest import TABLE, TASK

ERRORS = (OSError, http.client.HTTPException, WebSocketException)
ONE = "127.0.0.2"  # the address that joins
MANY = [f"127.0.0.{n}" for n in range(3, 31)]  # those of the other attacks


class Flood:
    """All attacks at the same time."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.ended = threading.Event()
        self.counts: Counter[str] = Counter()  # what the attackers got, by attack and answer
        self._threads: list[threading.Thread] = []
        self._pages: list[ClientConnection] = []

    def start(self, *, only_one: bool) -> None:
        """Begin: with `only_one` the one address that joins, else all attacks from all addresses."""
        joining: list[tuple[Callable[[], None], int]] = [(self._join, 4)]
        others: list[tuple[Callable[[], None], int]] = [
            (self._upload_slowly, 8),
            (self._half_open, 1),
            (self._poll, 2),
            (self._frames, 2),
            (self._sockets, 1),
            (self._fill, 2),
        ]
        for attack, threads in joining if only_one else joining + others:
            for _ in range(threads):
                self._threads.append(threading.Thread(target=self._repeat, args=(attack,), daemon=True))
                self._threads[-1].start()

    def end(self) -> None:
        self.ended.set()
        for page in self._pages:
            with suppress(*ERRORS):
                page.close()
        for thread in self._threads:
            thread.join(70)

    def _repeat(self, attack: Callable[[], None]) -> None:
        while not self.ended.is_set():
            try:
                attack()
            except ERRORS as error:
                self.counts[f"{attack.__name__[1:]}: {type(error).__name__}"] += 1
                self.ended.wait(0.05)

    def _note(self, attack: str, answer: object) -> None:
        self.counts[f"{attack}: {answer}"] += 1

    def _join(self) -> None:
        """Join without cookies again and again, from one address; look at the page, open its socket, keep the place."""
        browser = Browser(ONE, self.port)
        browser.form(TASK)
        answer = browser.post(f"/join/{TASK}/", ("a.csv", TABLE))
        self._note("join", answer.status)
        if answer.status == 303:
            browser.get(answer.location)
            self._note("keep", browser.post(f"{answer.location}keep/").status)
            self._pages.append(browser.open(answer.location))

    def _fill(self) -> None:
        """Join and leave, again and again: each leaves an input behind."""
        browser = Browser(random.choice(MANY), self.port)  # noqa: S311
        browser.form(TASK)
        answer = browser.post(f"/join/{TASK}/", ("a.csv", TABLE))
        self._note("fill", answer.status)
        for _ in range(10):
            if answer.status != 303:
                return
            browser.post(f"{answer.location}leave/")
            answer = browser.post(f"{answer.location}again/")
            self._note("again", answer.status)

    def _upload_slowly(self) -> None:
        """A large body, of which a byte comes every few seconds."""
        with socket.create_connection(("127.0.0.1", self.port), 30, (random.choice(MANY), 0)) as upload:  # noqa: S311
            path = random.choice(["/healthz", f"/join/{TASK}/", "/nothing"])  # noqa: S311
            upload.sendall(
                f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Length: 400000000\r\n\r\n".encode()
            )
            upload.sendall(bytes(2**20))
            while not self.ended.wait(2):
                upload.sendall(b"x")
        self._note("slow upload", "end")

    def _half_open(self) -> None:
        """Connections that never end their headers."""
        half = [socket.create_connection(("127.0.0.1", self.port), 30, (MANY[n % 28], 0)) for n in range(100)]
        for connection in half:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: ")
        self._note("half open", 100)
        self.ended.wait(20)
        for connection in half:
            connection.close()

    def _poll(self) -> None:
        """The cheapest pages, as fast as one connection takes them."""
        browser = Browser(random.choice(MANY), self.port)  # noqa: S311
        for path in ("/", f"/join/{TASK}/", "/healthz", "/entry/00000000-0000-0000-0000-000000000000/status.json"):
            self._note("poll", browser.get(path).status)

    def _sockets(self) -> None:
        """Handshakes for an entry that is not there."""
        browser = Browser(random.choice(MANY), self.port)  # noqa: S311
        with suppress(WebSocketException):
            browser.open("/entry/00000000-0000-0000-0000-000000000000/")
        self._note("foreign socket", "refused")

    def _frames(self) -> None:
        """A page of its own that sends frames as fast as it can."""
        browser = Browser(random.choice(MANY), self.port)  # noqa: S311
        browser.form(TASK)
        answer = browser.post(f"/join/{TASK}/", ("a.csv", TABLE))
        if answer.status != 303:
            self._note("frames", answer.status)
            self.ended.wait(1)
            return
        with browser.open(answer.location) as page:
            began = time.monotonic()
            while not self.ended.is_set() and time.monotonic() - began < 30:
                page.send("x" * 100)
                self.counts["frames: sent"] += 1
