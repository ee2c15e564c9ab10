"""Writing the end of an attempt into its row: how long it is repeated when the database refuses it.

The work has been done, so its result is worth a wait. An error that repetition does not mend must not occupy the horse
for ever. The entry then fails with that error.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress

from django.db import connection

from queueing.conf import conf
from queueing.line.jobs import TaskTimeout
from queueing.models import Entry
from queueing.models.trouble import Trouble, trouble_of

logger = logging.getLogger("queueing")

LONGEST_PAUSE = 5.0  # seconds between two tries


def until_stored[T](entry: Entry, write: Callable[[], T]) -> T:
    """The return value of `write`, repeated according to the error.

    While the database is away: until the row is not this attempt's any more. The worker renews the lease meanwhile, and
    kills the horse 60 s after the task's timeout (`STORING_GRACE`). While it is stuck: for LEASE. Raises the error of a
    write that no repetition mends.
    """
    pause, began, told = 0.1, time.monotonic(), False
    while True:
        with suppress(TaskTimeout):  # the task is done; its alarm, which rings once, came late, wherever that is here
            try:
                return write()
            except TaskTimeout:
                raise
            except Exception as error:
                trouble = trouble_of(error)
                if trouble == Trouble.LASTING or (trouble == Trouble.STUCK and time.monotonic() - began > conf.LEASE):
                    raise
                logger.warning("entry %s: its end is not stored yet: %s", entry.code, error, exc_info=not told)
                told = True
            connection.close()
            time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
