"""Several web processes behind a proxy without stickiness, and visitors who come through the proxy all the time."""

import http.client
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from queueing.models import Entry
from tests.support.namespace import Namespace
from tests.support.pages import Page
from tests.support.posting import Poster
from tests.support.processes import Processes
from tests.support.proxies import Proxy
from tests.support.servers import free_port
from tests.support.visitors import Visitor
from tests.support.waiting import wait_for
from tests.support.web import Web

PAUSE = 0.1  # seconds between two requests of a newcomer


class Hosts:
    """Two web processes, each for a host, and the proxy before them. The first may be in a namespace of its own."""

    def __init__(
        self,
        processes: Processes,
        proxy: str,
        folder: Path,
        servers: tuple[str, str],
        namespace: Namespace | None = None,
    ) -> None:
        self.processes, self.servers, self.namespace = processes, servers, namespace
        self.ports = [free_port(), free_port()]
        self.logs: dict[int, Path] = {}
        self.webs = [self._start(number) for number in range(len(servers))]
        for web in self.webs:
            web.wait()
        self.proxy = Proxy(proxy, folder, *(f"{web.host}:{web.port}" for web in self.webs)).wait()

    def restart(self, number: int) -> None:
        """As a deploy does: SIGTERM, the end, the next process."""
        self.webs[number].process.terminate()
        self.webs[number].process.wait(60)
        self.webs[number] = self._start(number).wait()

    def fall_silent(self, number: int) -> None:
        """The host vanishes, and nobody is told: its cable is pulled, or its process is stopped."""
        if number == 0 and self.namespace is not None:
            self.namespace.cut()
        else:
            self.webs[number].process.send_signal(signal.SIGSTOP)

    def come_back(self, number: int) -> None:
        if number == 0 and self.namespace is not None:
            self.namespace.mend()
        else:
            self.webs[number].process.send_signal(signal.SIGCONT)

    def open(self, entry: Entry, visitor: Visitor, silence: float) -> Page:
        """A page whose socket goes through the proxy. It gives one up that has been silent for so many seconds."""
        return Page(self.proxy, entry, visitor, silence)

    def stop(self) -> None:
        self.proxy.stop()
        print(self.proxy.said())  # noqa: T201  # pytest shows it when the test fails

    def takes_joins(self, number: int) -> bool:
        """True if the proxy has sent a join to this web process."""
        return "joined probe" in self.logs[number].read_text()

    def _start(self, number: int) -> Web:
        self.logs[number] = self.processes.folder / f"{len(self.processes.running)}.log"
        host = "127.0.0.1"
        if number == 0 and self.namespace is not None:
            host, self.processes.prefix = self.namespace.there, self.namespace.prefix
        try:
            address = (host, self.ports[number])
            return Web(self.processes, self.servers[number], address, TRUSTED_PROXIES="127.0.0.0/8 10.0.0.0/8")
        finally:
            self.processes.prefix = []


class Newcomers(threading.Thread):
    """Visitors who look at the form and join, one after the other, through the proxy."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.broken_looks: list[str] = []
        self.broken_joins: list[str] = []
        self.codes: list[str] = []  # of the entries that were confirmed
        self.is_over = threading.Event()
        self.start()

    def run(self) -> None:
        while not self.is_over.wait(PAUSE):
            try:
                poster = Poster(self.port, "probe")
                if self.joins % 2:  # else a proxy that takes turns would give all joins to one host
                    poster = Poster(self.port, "probe")
            except (AssertionError, OSError, http.client.HTTPException) as error:
                self.broken_looks.append(repr(error)[:300])
            else:
                self._join(poster)

    def _join(self, poster: Poster) -> None:
        try:
            answer = poster.send(b"a,b\n1,2\n", label="newcomer")
        except (OSError, http.client.HTTPException) as error:
            self.broken_joins.append(repr(error)[:300])
            return
        if answer.code == 303:
            self.codes.append(answer.location.rstrip("/").rpartition("/")[2])
        else:
            self.broken_joins.append(f"{answer.code} {answer.text[:200]}")

    @property
    def joins(self) -> int:
        return len(self.codes)


@contextmanager
def newcomers(port: int) -> Iterator[Newcomers]:
    """Newcomers until the end of the block, at least some of them before it and behind it."""
    crowd = Newcomers(port)
    try:
        wait_for(lambda: crowd.joins >= 2)
        yield crowd
        so_far = crowd.joins
        wait_for(lambda: crowd.joins >= so_far + 2)
    finally:
        crowd.is_over.set()
        crowd.join(60)


def wait_until_open(pages: list[Page], seconds: float = 30) -> None:
    """Each page has a socket that has told it something."""
    wait_for(lambda: all(page.is_open for page in pages), seconds)
