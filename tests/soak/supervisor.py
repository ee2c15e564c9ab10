"""The supervisor of a site: a process that ends on its own is started again, as by the systemd units of the docs."""

import threading
import time
from subprocess import Popen
from typing import TYPE_CHECKING

from tests.soak.ledger import End

if TYPE_CHECKING:
    from tests.soak.site import Site

PAUSE = 2.0  # seconds from an end to the next start: RestartSec of docs/operations/systemd
YOUNG = 10.0  # seconds of life; a process that ends sooner has not come to its work
LOOK = 0.1  # seconds between two looks


class Supervisor:
    """A thread that watches the processes of a site. What a fault has taken, that fault starts again."""

    def __init__(self, site: "Site") -> None:
        self.site = site
        self._taken = set[str]()
        self._due = dict[str, float]()  # the moments of the next starts
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def take(self, name: str) -> "Popen[bytes]":
        """From now on, the end of this process is the business of a fault. Returns the process."""
        with self._lock:
            self._taken.add(name)
            return self.site.running[name]

    def give_back(self, name: str) -> None:
        """The fault has started the process again."""
        with self._lock:
            self._taken.discard(name)
            self._due.pop(name, None)

    def settle(self, seconds: float) -> None:
        """Wait until no process is young. One that ends again and again stays so."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(map(self._is_young, list(self.site.running))):
            time.sleep(LOOK)

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(LOOK):
            for name in list(self.site.running):
                with self._lock:
                    if name not in self._taken:
                        self._look_at(name)

    def _look_at(self, name: str) -> None:
        code = self.site.running[name].poll()
        if code is None:
            return
        now = time.time()
        if name not in self._due:
            self._due[name] = now + PAUSE
            end = End(name, self.site.started[name], now, code, self.site.last_words(name))
            self.site.ledger.ended(end)
        elif now >= self._due[name]:
            del self._due[name]
            self.site.start(name)

    def _is_young(self, name: str) -> bool:
        return self.site.running[name].poll() is not None or time.time() - self.site.started[name] < YOUNG
