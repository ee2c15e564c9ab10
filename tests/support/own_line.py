"""A line on a Valkey of its own, beside the lines of REDIS_URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from queueing.line import clients
from queueing.line.keys import line_keys
from queueing.line.levers import Levers
from tests.support.connections import forget_connections
from tests.support.own_valkey import OwnValkey


@contextmanager
def on_own_valkey(settings: Any, queue: str) -> Iterator[OwnValkey]:
    """Have this process find the line there. It is open, and has an epoch."""
    made = OwnValkey()
    url = url_of(made)
    forget_connections()
    settings.RQ_QUEUES = settings.RQ_QUEUES | {queue: settings.RQ_QUEUES[queue] | {"URL": url, clients.OWN: url}}
    open_line(made, queue)
    try:
        yield made
    finally:
        forget_connections()
        made.client.close()
        if made.process.poll() is None:
            made.go_on()
            made.kill()


def open_line(own: OwnValkey, queue: str) -> None:
    own.client.set(line_keys(queue).levers, Levers().as_text())


def url_of(own: OwnValkey) -> str:
    return f"redis://127.0.0.1:{own.port}/0"
