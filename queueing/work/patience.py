"""Waiting for a storage that is away, in a horse: to read the input, and to keep a file of the result.

The attempt goes on as soon as the storage answers; its page says what it waits for. Near the end of the task's time the
attempt ends instead, as it does inside a transaction, which would hold the row. That is no failure of the task: it is
tried again, in its old place (`runner.py`).
"""

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from queueing.exceptions import StorageError
from queueing.work.lease import timeout_of

if TYPE_CHECKING:
    from queueing.work.attempt import Attempt

logger = logging.getLogger("queueing")

SENTENCE = "Waiting for the storage, which cannot be reached"
LONGEST_PAUSE = 5.0  # seconds between two tries
# Seconds of the task's time that are left to end the attempt: one try takes as many at most, before it is given up.
RESERVE = 30.0
RETRY_IN = 30.0  # seconds until an attempt that was ended so is tried again


def while_storage_is_away[T](attempt: "Attempt", ask: Callable[[], T]) -> T:
    """The return value of `ask`, repeated while the storage is away. Raises VisitorLeft, or StorageError."""
    pause, until, told = 0.1, attempt.began + timeout_of(attempt.entry.queue) - RESERVE, False
    fraction, message = attempt.progress
    while True:
        try:
            found = ask()
        except StorageError as error:
            if time.monotonic() + pause >= until or attempt.is_in_transaction:
                raise
            if not told:
                logger.warning("entry %s waits for the storage: %s", attempt.entry.code, error)
            told = True
        else:
            if told:
                attempt.report_now(fraction, message)  # after a short wait, too
            return found
        attempt.report(fraction, SENTENCE)
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
