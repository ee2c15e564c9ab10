"""Connections of this process to Redis."""

from queueing.line import allowance, clients
from queueing.line.places import get_line
from queueing.line.queue import get_queue


def forget_connections() -> None:
    """Close the connection; the next one goes where the settings say."""
    clients.connection().close()
    clients.connection.cache_clear()
    clients.patient_for.cache_clear()
    get_line.cache_clear()
    get_queue.cache_clear()
    allowance.circuit.close()
