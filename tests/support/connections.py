"""Connections of this process to Redis."""

import redis

from queueing.line import allowance, clients
from queueing.line.places import get_line
from queueing.line.queue import get_queue


def forget_connections() -> None:
    """Close all connections; the next ones go where the settings say."""
    for pool in list(clients._pools):
        pool.disconnect()
    clients.forget_clients()
    get_line.cache_clear()
    get_queue.cache_clear()
    allowance.circuit.close()


def leave_unread(client: redis.Redis) -> None:
    """As if a signal's handler had raised between a command and its answer: the pool has the connection back."""
    made = client.connection_pool.get_connection()
    made.send_command("ZCARD", "nothing")
    client.connection_pool.release(made)
