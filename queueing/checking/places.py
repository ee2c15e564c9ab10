"""The places at the checkers of one process, and the checks that wait for one: both are bounded, and shared fairly.

The next free place is for the address with the fewest of them, then for the one that was served the longest ago. When
too many wait, the address with the most waiting checks loses its last one. So a crowd from one address costs itself.

A preview comes after all checks that wait, is the first to be refused, and takes no more than half of the places: a
flood of previews keeps nobody from joining.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from queueing.conf import conf
from queueing.exceptions import Busy

WAITING = 16  # checks that wait, for each checker; each holds a thread


class Waiter:
    """One check, or one preview, that waits."""

    def __init__(self, address: str, *, is_preview: bool = False) -> None:
        self.address, self.is_preview = address, is_preview
        self.is_refused = False


class Places:
    """At most CHECKERS at a time."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._busy: Counter[str] = Counter()
        self._previews = 0  # the places that previews have
        self._waiting: list[Waiter] = []  # in the order of their coming
        self._turns, self._last_turn = 0, dict[str, int]()  # of the addresses that wait or have a place

    @property
    def busy(self) -> int:
        """The places that are taken now."""
        return self._busy.total()

    @contextmanager
    def taken(self, address: str, *, is_preview: bool = False) -> Iterator[None]:
        """Holds a place inside. Raises Busy if none gets free within CHECK_SECONDS, or too many wait."""
        with self._changed:
            self._take(Waiter(address, is_preview=is_preview))
        try:
            yield
        finally:
            with self._changed:
                self._busy[address] -= 1
                self._previews -= is_preview
                self._forget()

    def _take(self, waiter: Waiter) -> None:
        self._waiting.append(waiter)
        try:
            self._refuse_one()
            self._changed.wait_for(lambda: waiter.is_refused or self._is_next(waiter), conf.CHECK_SECONDS)
            if waiter.is_refused or not self._is_next(waiter):
                raise Busy
            self._turns += 1
            self._busy[waiter.address] += 1
            self._previews += waiter.is_preview
            self._last_turn[waiter.address] = self._turns
        finally:
            self._waiting.remove(waiter)
            self._forget()

    def _is_next(self, waiter: Waiter) -> bool:
        if self.busy >= conf.CHECKERS or (waiter.is_preview and self._previews >= max(1, conf.CHECKERS // 2)):
            return False
        return waiter is min(self._waiting, key=self._rank)

    def _rank(self, waiter: Waiter) -> tuple[bool, int, int]:
        return waiter.is_preview, self._busy[waiter.address], self._last_turn.get(waiter.address, 0)

    def _refuse_one(self) -> None:
        """If more wait than may: refuse the last check of the address that has the most of them, previews first."""
        waiting = [waiter for waiter in self._waiting if not waiter.is_refused]
        if len(waiting) > WAITING * conf.CHECKERS:
            waiting = [waiter for waiter in waiting if waiter.is_preview] or waiting
            counts = Counter(waiter.address for waiter in waiting)
            most = max(counts.values())
            next(w for w in reversed(waiting) if counts[w.address] == most).is_refused = True
            self._changed.notify_all()

    def _forget(self) -> None:
        """After each change: tell those who wait, and keep nothing about an address that is gone."""
        here = {waiter.address for waiter in self._waiting} | {address for address, n in self._busy.items() if n}
        self._busy = Counter({address: n for address, n in self._busy.items() if n})
        self._last_turn = {address: turn for address, turn in self._last_turn.items() if address in here}
        self._changed.notify_all()
