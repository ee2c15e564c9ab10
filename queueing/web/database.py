"""The pool of connections to PostgreSQL of a web process. Workers, keeper and commands have plain connections.

Under ASGI each request has a thread of its own, and its own connection. The pool bounds their number, so that a crowd
of pages leaves connections to the workers, and saves each request the time to connect.
"""

import selectors
import time
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection as database

# Seconds that a request waits for a connection. Then its answer is 503.
POOL_PATIENCE = 1.0
# Seconds in which the server has to answer on a connection from the pool.
CHECK_TIMEOUT = 0.5


def use_pool() -> None:
    """Have all threads of this process share a pool. Call once at the start, before the first query."""
    if database.vendor == "postgresql":
        database.settings_dict["OPTIONS"]["pool"] = {
            "min_size": 1,
            "max_size": settings.DATABASE_POOL,
            "timeout": POOL_PATIENCE,
            "check": check,
            # A connection that cannot be made is tried again when the next request needs one. With psycopg's pauses,
            # which grow to minutes, the site would stay away for as long after the database is back.
            "reconnect_timeout": 0,
        }


def check(connection: "psycopg.Connection[Any]") -> None:
    """Raises OperationalError if the server has closed this connection, or does not answer on it in time.

    After a failover or a restart all idle connections are dead, so the pool makes all of them anew. psycopg's own check
    waits for a server that hangs for as long as it hangs.
    """
    try:
        _await_answer(connection.pgconn, time.monotonic() + CHECK_TIMEOUT)
    except psycopg.OperationalError:
        connection.close()
        database.pool.drain()  # type: ignore[attr-defined]  # of PostgreSQL alone
        raise


def _await_answer(pgconn: psycopg.pq.abc.PGconn, deadline: float) -> None:
    pgconn.send_query(b"")
    with selectors.DefaultSelector() as selector:
        selector.register(pgconn.socket, selectors.EVENT_READ)
        while pgconn.is_busy():
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise psycopg.OperationalError("PostgreSQL does not answer")
            pgconn.consume_input()
    while result := pgconn.get_result():
        if result.status != psycopg.pq.ExecStatus.EMPTY_QUERY:  # the server's last word before it closed
            raise psycopg.OperationalError(result.get_error_message())
