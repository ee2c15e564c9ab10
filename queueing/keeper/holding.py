"""Steps through a line, and holds the entries whose presence ran out."""

import time

import redis

from queueing.conf import conf
from queueing.line import presence, scripts
from queueing.line.keys import LineKeys

WINDOW = 200  # ids that a script looks at in one call; it blocks everybody for about 1 ms


class Holder:
    """The way through one line. A round that has no time left goes on where the one before stopped.

    Of one window a round, the life of each presence is looked at, too: a presence that would live for too long is a
    relic, because the clock of the server was put back. That look costs ten times as much as the look for absences.
    """

    def __init__(self, keys: LineKeys) -> None:
        self.keys = keys
        self._rank = 0  # of the next window
        self._relics_from = 0  # the rank from which a window is looked at for relics

    def go_on(self, client: redis.Redis, *, until: float) -> int:
        """Step to the end of the line, or until the monotonic clock reaches `until`; returns how many were held."""
        total, has_looked = 0, False
        while True:
            looks = not has_looked and self._rank >= self._relics_from
            seen, held = scripts.hold(
                client,
                self.keys,
                first=self._rank,
                window=WINDOW,
                grace=conf.LOST_GRACE,
                longest_presence=presence.longest_presence() if looks else 0.0,
            )
            total += held
            self._rank += seen - held
            if looks:
                has_looked, self._relics_from = True, self._rank
            if seen < WINDOW:
                self._begin_anew(has_looked=has_looked)
                return total
            if time.monotonic() >= until:
                return total

    def _begin_anew(self, *, has_looked: bool) -> None:
        """The end of the line. It was too short for a look, or the look was at its last window."""
        if not has_looked or self._rank <= self._relics_from:
            self._relics_from = 0
        self._rank = 0
