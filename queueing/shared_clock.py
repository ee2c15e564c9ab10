"""The clock that all processes share: that of the database, or of Redis beside SQLite, which has no server."""

from django.db import connection as database

from queueing import site_time
from queueing.line.clients import patient_for

PATIENCE = 1.0  # seconds that Redis may take for an answer, whatever a request may wait for it


def follow() -> None:
    """Have this process follow the shared clock, from now on if it answers."""
    site_time.follow(_read)
    site_time.timestamp()  # asks; in an event loop, the first request does
    if not database.in_atomic_block:
        database.close()  # whatever comes next opens its own


def _read() -> float:
    """Seconds since 1970. Raises an error of the database or of Redis."""
    if database.vendor != "postgresql":
        seconds, micros = patient_for(PATIENCE).time()
        return float(seconds + micros / 1e6)
    with database.cursor() as cursor:
        cursor.execute("SELECT EXTRACT(EPOCH FROM CLOCK_TIMESTAMP())")
        [seconds] = cursor.fetchone()
    return float(seconds)
