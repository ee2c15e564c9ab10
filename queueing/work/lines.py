"""The lines of RQ's log about the jobs of entries. Each move of an entry has a line of its own, with the reason.

For RQ, a job is done when its function has returned: it says "Job OK" of an entry that has failed, and has no word for
a task that its worker has ended because the visitor left. So these lines are for those who debug.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

# The beginnings of RQ's texts, before anything is put into them.
SAID_BETTER = (
    "Successfully completed ",
    "Worker %s: %s: %s (%s)",  # "Job OK"
    "Worker %s: job %s result ",
    "Worker %s: job %s failed (%s)",
    "Worker %s: killed horse pid ",
    "Work horse killed for job ",
)


class ForDebugging(logging.Filter):
    """Makes RQ's lines about a job lines of the level DEBUG."""

    def __init__(self, log: logging.Logger) -> None:
        super().__init__()
        self._log = log

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a line that is left out."""
        if not str(record.msg).startswith(SAID_BETTER):
            return True
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return self._log.isEnabledFor(logging.DEBUG)


@contextmanager
def for_debugging(log: logging.Logger) -> Iterator[None]:
    """While the job of an entry is executed, in the worker and in its horse."""
    quieter = ForDebugging(log)
    log.addFilter(quieter)
    try:
        yield
    finally:
        log.removeFilter(quieter)
