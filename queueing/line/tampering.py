"""Reports of what this project never writes to Redis: another program, or a person, has changed the line's keys."""

import logging
import threading
import time

logger = logging.getLogger("queueing")

REPORT_INTERVAL = 10.0  # seconds between two lines of one process


class Reports:
    """A log that takes one line in each REPORT_INTERVAL: who writes to Redis must not fill the disk with lines."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next_at = 0.0  # by the monotonic clock
        self._kept_back = 0

    def add(self, sentence: str, *values: object) -> None:
        """Log the sentence, or count it for the next line."""
        with self._lock:
            now = time.monotonic()
            if now < self._next_at:
                self._kept_back += 1
                return
            kept_back, self._kept_back = self._kept_back, 0
            self._next_at = now + REPORT_INTERVAL
        what = sentence % values
        logger.error("Redis was tampered with: %s (%d more reports since the last one)", what, kept_back)


reports = Reports()


def shorten(value: object) -> str:
    """A value from Redis as a log may hold it: printable, and at most 100 characters."""
    return repr(value)[:100]
