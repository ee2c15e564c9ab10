"""The database in a web process: a pool of connections to PostgreSQL, and threads for sockets.

Workers, keeper and commands have plain connections.
Under ASGI each request has a thread of its own, and its own connection. The pool bounds their number, so that a crowd
of pages leaves connections to the workers, and saves each request the time to connect.
"""

import selectors
import time
from collections.abc import Callable
from typing import Any

import psycopg
from channels.db import database_sync_to_async
from django.db import connection as database

from queueing.conf import site
from queueing.line.allowance import allow_waiting

# Seconds that a request waits for a connection. Then its answer is 503.
POOL_PATIENCE = 1.0
# Seconds in which the server has to answer on a connection from the pool.
CHECK_TIMEOUT = 0.5


def in_thread[**P, T](function: Callable[P, T]) -> Any:
    """Run a read of row and place in a thread of its own: in the shared one, a slow query would delay every page.

    There are few of these threads. As a request does, each read waits for Redis for REDIS_ALLOWANCE at most.
    """

    def limited(*args: P.args, **kwargs: P.kwargs) -> T:
        with allow_waiting(site.REDIS_ALLOWANCE):
            return function(*args, **kwargs)

    return database_sync_to_async(limited, thread_sensitive=False)


def use_pool() -> None:
    """Have all threads of this process share a pool. Call once at the start, before the first query."""
    if database.vendor == "postgresql":
        database.close()  # of this thread: the system checks may have asked before they import the application
        database.settings_dict["CONN_MAX_AGE"] = 0  # a site's own; Django takes no pool beside it
        database.settings_dict["OPTIONS"]["pool"] = {
            "min_size": 1,
            "max_size": site.DATABASE_POOL,
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
