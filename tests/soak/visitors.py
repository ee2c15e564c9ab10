"""Visitors with real sockets: each joins, waits with an open page, and leaves in one of four ways."""

import http.client
import json
import random
import threading
import time
import uuid
from collections.abc import Callable
from socket import SHUT_RDWR

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection

from queueing.line.presence import GOODBYE
from tests.flood.browser import Answer, Browser
from tests.soak.ledger import Ledger, Stay

ERRORS = (OSError, http.client.HTTPException, WebSocketException, TimeoutError)
WAYS = {"stays": 70, "says goodbye": 12, "leaves": 10, "vanishes": 8}  # of a hundred visitors
FINAL = {"succeeded", "failed", "cancelled", "abandoned"}
PATIENCE = 3.0  # seconds that a visitor waits for an answer before it goes to another web process
SILENCE = 2.0  # seconds without an answer to a ping after which a socket counts as dead
TABLE = b"a,b\n1,2\n"


class Crowd:
    """All visitors, each a thread that makes one stay after another."""

    def __init__(self, ports: list[int], ledger: Ledger, seed: int, size: int) -> None:
        self.ports, self.ledger = ports, ledger
        self.closed, self.abandoned = threading.Event(), threading.Event()
        # So that a seed is the same crowd again.
        rngs = [random.Random(f"{seed} {number}") for number in range(size)]  # noqa: S311
        self._threads = [threading.Thread(target=self._come, args=each, daemon=True) for each in enumerate(rngs)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Nobody new comes. Visitors that stay go on."""
        self.closed.set()

    def wait(self, seconds: float) -> bool:
        """Wait for the last visitor. False: some still wait for their end, and are sent away now."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0, deadline - time.monotonic()))
        in_time = not any(thread.is_alive() for thread in self._threads)
        self.abandoned.set()
        for thread in self._threads:
            thread.join(4 * PATIENCE)
        return in_time

    def _come(self, number: int, rng: random.Random) -> None:
        count = 0
        while not self.closed.wait(rng.uniform(0, 1)):
            count += 1
            way = rng.choices(list(WAYS), list(WAYS.values()))[0]
            stay = Stay(f"v{number}-{count}", way)
            Visit(self, stay, rng).run()


class Visit:
    """One stay of one browser."""

    def __init__(self, crowd: Crowd, stay: Stay, rng: random.Random) -> None:
        self.crowd, self.stay, self.rng = crowd, stay, rng
        self.browser = Browser("127.0.0.1", rng.choice(crowd.ports), PATIENCE)
        # Most tasks are short; some are longer than the lease, so that a stopped worker comes back in their middle.
        self.seconds = rng.choice([0.1, 0.2, 0.3, 0.5, 0.5, 1.0, 4.5])
        self.leaves_after = rng.uniform(0.1, 4) if stay.way != "stays" else float("inf")

    def run(self) -> None:
        if not self._join():
            return
        ways = {"says goodbye": self._say_goodbye, "leaves": self._leave, "vanishes": self._vanish}
        leaves_at = time.time() + self.leaves_after
        while not self.stay.end and not self.crowd.abandoned.is_set() and time.time() < leaves_at:
            try:
                self._watch(leaves_at)
            except ERRORS:
                self.stay.troubles += 1
                self._go_elsewhere()
        if not self.stay.end and self.stay.way in ways:
            ways[self.stay.way]()
        elif self.stay.end == "succeeded":
            self._take_result()

    def _join(self) -> bool:
        """Send the form until the join is acknowledged; the same code each time, as a browser sends a form again."""
        code = str(uuid.uuid4())
        while not self.crowd.closed.is_set():
            try:
                if not self.browser.token:
                    self.browser.form("probe")
                fields = {"code": code, "label": self.stay.label, "seconds": str(self.seconds)}
                answer = self.browser.post("/join/probe/", ("a.csv", TABLE), **fields)
            except ERRORS:
                self._go_elsewhere()
                continue
            if answer.status == 303 and answer.location.startswith("/entry/"):
                self.stay.code = answer.location.split("/")[2]
                self.crowd.ledger.joined(self.stay)
                return True
            time.sleep(self.rng.uniform(0.3, 0.8))
        return False

    def _watch(self, until: float) -> None:
        """Look at the page, open its socket, and read it until the entry has ended or it is time to go."""
        self._look()
        if self.stay.end:
            return
        socket = self.browser.open(self._path())
        try:
            while not self.stay.end and not self.crowd.abandoned.is_set() and time.time() < until:
                self._read(socket)
        except ERRORS:
            self.stay.lost_sockets += 1
            socket.close_timeout = 0.1
            socket.close()
            raise
        if self.stay.end or self.stay.way == "says goodbye":
            socket.close(GOODBYE)
        else:
            socket.socket.shutdown(SHUT_RDWR)  # without a word

    def _read(self, socket: ClientConnection) -> None:
        try:
            frame = json.loads(socket.recv(timeout=0.4))
        except TimeoutError:
            if not socket.ping().wait(SILENCE):
                raise
            self.stay.hear()
            return
        self.stay.hear()
        self._note_status(frame.get("status", ""))

    def _look(self) -> None:
        answer = self.browser.get(f"{self._path()}status.json")
        if answer.status == 404:
            self.stay.problem = "the entry of an acknowledged join is not there"
        if answer.status != 200:
            time.sleep(0.2)
            raise OSError(answer.status)
        self.stay.hear()
        self._note_status(json.loads(answer.body)["status"])

    def _note_status(self, status: str) -> None:
        if status in FINAL:
            self.stay.end, self.stay.told_at = status, time.time()
            self.crowd.ledger.note(f"{self.stay.label} was told {status}")

    def _say_goodbye(self) -> None:
        """The socket has said goodbye; so does the page, and its answer is the moment from which nothing may start."""
        self._go(f"{self._path()}goodbye/", 204)

    def _leave(self) -> None:
        self._go(f"{self._path()}leave/", 303)

    def _go(self, path: str, status: int) -> None:
        if self._insist(lambda: self.browser.post(path), status) is not None:
            self.stay.gone_at = time.time()

    def _vanish(self) -> None:
        self.crowd.ledger.note(f"{self.stay.label} has vanished")

    def _take_result(self) -> None:
        answer = self._insist(lambda: self.browser.get(f"{self._path()}files/answer.txt"), 200)
        self.stay.result = answer.body.decode().strip() if answer else ""

    def _insist(self, ask: Callable[[], Answer], status: int) -> Answer | None:
        """Ask until it is answered so; None if it is not, after some tries."""
        for _ in range(20):
            try:
                answer = ask()
            except ERRORS:
                self._go_elsewhere()
                continue
            if answer.status == status:
                self.crowd.ledger.note(f"{self.stay.label} {self.stay.way}: answered with {status}")
                return answer
            time.sleep(0.3)
        return None

    def _go_elsewhere(self) -> None:
        """To any web process; a pause first, as a page makes one."""
        time.sleep(self.rng.uniform(0.1, 0.5))
        self.browser.port = self.rng.choice(self.crowd.ports)

    def _path(self) -> str:
        return f"/entry/{self.stay.code}/"
