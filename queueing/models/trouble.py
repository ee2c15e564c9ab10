"""The errors of the database, and what a repetition does to them. Web and work both read these tables."""

import re
from enum import Enum, auto
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError

# All errors of the database: Django's InterfaceError is no DatabaseError.
DATABASE_ERRORS = (DatabaseError, InterfaceError)


# The words of PostgreSQL to a client that it does not let in, however long that waits. Without a connection psycopg has
# no SQLSTATE, so there are the words alone. A server with other words than English counts as away.
REFUSED = re.compile(
    r"FATAL: .*(does not exist|authentication failed|no pg_hba\.conf entry|permission denied|not permitted to log in)"
    r"|no password supplied"
)


class Trouble(Enum):
    """The kinds of errors of a database, by what a repetition does to them."""

    # The database is away, busy, or short of room. It passes.
    AWAY = auto()
    # It may pass, or come each time: a read-only SQLite file, or a statement that takes too long.
    STUCK = auto()
    # It comes each time: the schema, the rights, or the value.
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
CANNOT_OPEN = 14
BY_SQLITE_CODE = {
    1: Trouble.LASTING,  # SQLITE_ERROR: no such table or column
    5: Trouble.AWAY,  # SQLITE_BUSY
    6: Trouble.AWAY,  # SQLITE_LOCKED
    11: Trouble.LASTING,  # SQLITE_CORRUPT
    CANNOT_OPEN: Trouble.AWAY,  # SQLITE_CANTOPEN
    15: Trouble.AWAY,  # SQLITE_PROTOCOL: locking
    18: Trouble.LASTING,  # SQLITE_TOOBIG
    19: Trouble.LASTING,  # SQLITE_CONSTRAINT
    20: Trouble.LASTING,  # SQLITE_MISMATCH
    26: Trouble.LASTING,  # SQLITE_NOTADB
}


def trouble_of(error: Exception) -> Trouble:
    """The kind of an error that a query raised. Codes that are in neither table count as stuck."""
    cause = error.__cause__  # Django raises its own error from the driver's
    if not isinstance(error, DATABASE_ERRORS):
        return Trouble.LASTING
    if sqlstate := getattr(cause, "sqlstate", None):
        return BY_SQLSTATE.get(sqlstate) or BY_SQLSTATE.get(sqlstate[:2], Trouble.STUCK)
    if code := getattr(cause, "sqlite_errorcode", None):
        return BY_SQLITE_CODE.get(code & 0xFF, Trouble.STUCK)
    # Without a connection psycopg has no SQLSTATE. Other errors without a code are Django's own, about the query.
    return Trouble.AWAY if isinstance(error, (OperationalError, InterfaceError)) else Trouble.LASTING


def is_out_of_reach(error: Exception) -> bool:
    """True if there was no connection to a server: it is not there, or its address is another one."""
    return trouble_of(error) is Trouble.AWAY and not is_refused(error) and not _code_of(error)


def _code_of(error: Exception) -> Any:
    return getattr(error.__cause__, "sqlstate", None) or getattr(error.__cause__, "sqlite_errorcode", None)


def is_refused(error: Exception) -> bool:
    """True if the database is there, and refuses this site: no such database or role, a wrong password, no right.

    Also for a file that SQLite cannot open.
    """
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    return trouble_of(error) is Trouble.LASTING or code == CANNOT_OPEN or REFUSED.search(str(error)) is not None
