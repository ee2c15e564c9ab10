"""The keeper's part in the memory of the lines: the moments at which it is written."""

import math
import time
from collections.abc import Collection
from datetime import datetime

from queueing import site_time
from queueing.history import marks
from queueing.history.books import minute_of
from queueing.history.counting import count
from queueing.history.rolling import roll_up
from queueing.history.sampling import sample
from queueing.line.workers import suspensions
from queueing.models.memory import MINUTE

# Rounds from one look for something to count to the next. A look that finds something costs a few milliseconds, however
# much it finds.
COUNT_ROUNDS = 10
COUNT_BUDGET = 0.5  # seconds that one round may spend on it
ROLL_INTERVAL = 600.0  # seconds between two looks for old minutes
ROLL_BUDGET = 0.5  # seconds that one round may spend on them
# Seconds after the end of a minute. Numbers that are older than that are not those of its end, and it has no sample.
LATEST_SAMPLE = 10


class Rememberer:
    """Writes the memory. What it remembers itself may be forgotten at any time."""

    def __init__(self) -> None:
        self._rounds = -1
        self._rolled_at = -math.inf
        self._sampled: datetime | None = None
        self._version = marks.version()
        self._marked: dict[str, bool] = {}  # by line: RQ's word when it was noted last; the version was noted then, too

    def count(self) -> int:
        """Count entries into their minutes, in every tenth round; returns how many. A backlog takes many rounds."""
        self._rounds += 1
        if self._rounds % COUNT_ROUNDS:
            return 0
        until = time.monotonic() + COUNT_BUDGET
        counted = count(until)
        if time.monotonic() >= until:
            self._rounds = -1  # goes on in the next round
        return counted

    def sample(self, queues: Collection[str] | None = None) -> int:
        """Sample these lines, or all, once a minute; returns how many lines. Raises RedisError."""
        now = site_time.now()
        ended = minute_of(now) - MINUTE
        if self._sampled == ended:
            return 0
        sampled = sample(ended, queues) if (now - minute_of(now)).total_seconds() <= LATEST_SAMPLE else 0
        self._sampled = ended
        return sampled

    def mark(self, queues: Collection[str] | None = None) -> int:
        """Note a new version of the site in these lines, or in all, and each change of RQ's word to all workers.

        Raises RedisError.
        """
        return len([queue for queue, told in suspensions(queues).items() if self._mark(queue, suspended=told)])

    def _mark(self, queue: str, *, suspended: bool) -> bool:
        if self._marked.get(queue) == suspended:
            return False
        version = None if queue in self._marked else self._version
        noted = marks.note_present(queue, version, suspended=suspended)
        if noted:
            self._marked[queue] = suspended
        return noted

    def roll_up(self) -> int:
        """Roll up old minutes, if it is time to."""
        now = time.monotonic()
        if now - self._rolled_at >= ROLL_INTERVAL and roll_up(until=now + ROLL_BUDGET):
            self._rolled_at = now
        return 0
