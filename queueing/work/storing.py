"""Writing the end of an attempt into its row: which errors of the database are worth a repetition, and for how long.

The work has been done, so its result is worth a wait. But an error that comes each time must not keep the horse for
ever: then the row is told of the error instead.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto

from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, ProgrammingError, connection

from queueing.conf import conf
from queueing.line.jobs import TaskTimeout
from queueing.models import Entry

logger = logging.getLogger("queueing")

LONGEST_PAUSE = 5.0  # seconds between two tries


class Trouble(Enum):
    """The kinds of errors of a database, by what a repetition does to them."""

    # The database is away, busy, or short of room. Repeated until the row is not this attempt's any more; the worker
    # renews the lease meanwhile, and kills the horse 60 s after the task's timeout.
    AWAY = auto()
    # It may pass, or come each time: a read-only database, or a statement that takes too long. Repeated for LEASE.
    STUCK = auto()
    # It comes each time: the schema, the rights, or the value. Not repeated.
    LASTING = auto()


# By SQLSTATE, whole or its class of two characters: https://www.postgresql.org/docs/current/errcodes-appendix.html
BY_SQLSTATE = {
    "08": Trouble.AWAY,  # connection exception
    "40": Trouble.AWAY,  # transaction rollback: serialization failure, deadlock
    "53": Trouble.AWAY,  # insufficient resources: disk full, out of memory, too many connections
    "55P03": Trouble.AWAY,  # lock not available: lock_timeout
    "57": Trouble.AWAY,  # operator intervention: shutdown, crash, cannot connect now
    "57014": Trouble.STUCK,  # query canceled: statement_timeout
    "57P04": Trouble.LASTING,  # database dropped
    "58": Trouble.AWAY,  # system error: an I/O error of the server
    "0A": Trouble.LASTING,  # feature not supported
    "25006": Trouble.AWAY,  # read-only transaction: a standby after a failover, or a managed server with a full disk
    "22": Trouble.LASTING,  # data exception: a value out of range
    "23": Trouble.LASTING,  # integrity constraint violation
    "3D": Trouble.LASTING,  # no such database
    "3F": Trouble.LASTING,  # no such schema
    "42": Trouble.LASTING,  # no such table or column, permission denied
    "54": Trouble.LASTING,  # program limit exceeded: statement too complex, value too large
}

# By primary result code: https://www.sqlite.org/rescode.html
BY_SQLITE_CODE = {
    1: Trouble.LASTING,  # SQLITE_ERROR: no such table or column
    5: Trouble.AWAY,  # SQLITE_BUSY
    6: Trouble.AWAY,  # SQLITE_LOCKED
    11: Trouble.LASTING,  # SQLITE_CORRUPT
    15: Trouble.AWAY,  # SQLITE_PROTOCOL: locking
    18: Trouble.LASTING,  # SQLITE_TOOBIG
    19: Trouble.LASTING,  # SQLITE_CONSTRAINT
    20: Trouble.LASTING,  # SQLITE_MISMATCH
    26: Trouble.LASTING,  # SQLITE_NOTADB
}


def trouble_of(error: Exception) -> Trouble:
    """The kind of an error that a write raised. Codes that are in neither table count as stuck."""
    if not isinstance(error, (DatabaseError, InterfaceError)):
        return Trouble.LASTING
    cause = error.__cause__  # Django raises its own error from the driver's
    if sqlstate := getattr(cause, "sqlstate", None):
        return BY_SQLSTATE.get(sqlstate) or BY_SQLSTATE.get(sqlstate[:2], Trouble.STUCK)
    if code := getattr(cause, "sqlite_errorcode", None):
        return BY_SQLITE_CODE.get(code & 0xFF, Trouble.STUCK)
    if isinstance(error, (DataError, IntegrityError, ProgrammingError)):
        return Trouble.LASTING
    return Trouble.AWAY  # psycopg: there is no connection, hence no SQLSTATE


def until_stored[T](entry: Entry, write: Callable[[], T]) -> T:
    """The return value of `write`, repeated while the database is away, and for LEASE while it is stuck.

    Raises the error of a write that no repetition mends.
    """
    pause, began, told = 0.1, time.monotonic(), False
    while True:
        try:
            return write()
        except TaskTimeout:
            continue  # the task is done; its alarm, which rings once, came late
        except Exception as error:
            trouble = trouble_of(error)
            if trouble == Trouble.LASTING or (trouble == Trouble.STUCK and time.monotonic() - began > conf.LEASE):
                raise
            logger.warning("entry %s: its end is not stored yet: %s", entry.code, error, exc_info=not told)
            told = True
        with suppress(TaskTimeout):
            connection.close()
            time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
