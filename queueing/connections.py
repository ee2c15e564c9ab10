"""The connection to the database that a thread holds. In a web process it comes from a pool, see `web/database.py`."""

from django.db import connection


def give_connection_back() -> None:
    """Before something that may take long and needs no rows: others may have this thread's connection.

    Within a transaction the connection stays.
    """
    if not connection.in_atomic_block:
        connection.close()
