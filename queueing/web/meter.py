"""A meter: how often each address has done something in this process (GCRA, the leaky bucket as a meter)."""

import time
from threading import Lock

MOST_ADDRESSES = 10_000  # remembered; the one that was silent for longest is forgotten first


class Meter:
    """Lets each address do something every so often, and more at once at first. Views use it from many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.paid_at: dict[str, float] = {}  # by address, the time at which all that it has done is paid off

    def wait_of(self, address: str, *, interval: float, at_once: float) -> float:
        """0, and one more is counted; or the seconds after which this address may do it again.

        One each `interval` seconds, and `at_once` beforehand.
        """
        with self._lock:
            now = time.monotonic()
            paid_at = max(now, self.paid_at.get(address, 0.0))
            early = paid_at - now - (at_once - 1) * interval
            if early > 0:
                return early
            self.paid_at.pop(address, None)  # a dict keeps the order of its keys: this one goes to the end
            while len(self.paid_at) >= MOST_ADDRESSES:
                del self.paid_at[next(iter(self.paid_at))]
            self.paid_at[address] = paid_at + interval
            return 0.0
