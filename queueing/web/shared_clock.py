"""The clock that all web processes share: that of the database, or of Redis beside SQLite, which has no server."""

from django.db import connection as database

from queueing import site_time
from queueing.line.clients import connection


def follow() -> None:
    """Have this process follow the shared clock."""
    site_time.follow(_read)


def _read() -> float:
    """Seconds since 1970. Raises an error of the database or of Redis."""
    if database.vendor != "postgresql":
        seconds, micros = connection().time()
        return float(seconds + micros / 1e6)
    with database.cursor() as cursor:
        cursor.execute("SELECT EXTRACT(EPOCH FROM CLOCK_TIMESTAMP())")
        [seconds] = cursor.fetchone()
    return float(seconds)
