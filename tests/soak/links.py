"""The links between the parts of a site, which can be cut and slow."""

import socket
import time
from collections.abc import Callable, Iterable

from tests.support.browser.proxy import Proxy

SLOW = 0.2  # seconds that each answer is late
SILENCE = 1.0  # seconds without an answer that show that a link is cut
TO_VALKEY, TO_WEB = b"PING\r\n", b"GET /healthz HTTP/1.0\r\n\r\n"  # questions that are answered with or without a user
End = Callable[[], None]


class Link:
    """All ways from one kind of process to another, which have the same faults at the same time.

    `question` is what the first of them can be asked.
    """

    def __init__(self, proxies: Iterable[Proxy], question: bytes) -> None:
        self.proxies, self.question = list(proxies), question

    @property
    def ports(self) -> list[int]:
        return [proxy.port for proxy in self.proxies]

    def cut(self) -> End:
        """Swallow all, and tell nobody; returns the end of that."""
        for proxy in self.proxies:
            proxy.cut()
        return self._mend

    def slow_down(self) -> End:
        self._delay(SLOW)
        return lambda: self._delay(0)

    def is_cut(self) -> bool:
        """True if a question is followed by silence: no answer, and no end of the connection."""
        return self._pause() >= SILENCE

    def is_slow(self) -> bool:
        return SLOW <= self._pause() < SILENCE

    def _pause(self) -> float:
        """Seconds until there is an answer, or an end."""
        began = time.monotonic()
        try:
            with socket.create_connection(("127.0.0.1", self.ports[0]), SILENCE) as asking:
                asking.sendall(self.question)
                began = time.monotonic()
                asking.recv(1)
        except TimeoutError:
            return SILENCE
        except OSError:
            return 0.0
        return time.monotonic() - began

    def stop(self) -> None:
        for proxy in self.proxies:
            proxy.stop()

    def _mend(self) -> None:
        for proxy in self.proxies:
            proxy.mend()

    def _delay(self, seconds: float) -> None:
        for proxy in self.proxies:
            proxy.delay = seconds
