"""A real web process, and sockets to it."""

import socket
from contextlib import AbstractContextManager
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from queueing.models import Entry
from tests.support.processes import Processes
from tests.support.servers import free_port
from tests.support.visitors import Visitor
from tests.support.waiting import wait_for


def is_listening(port: int, host: str = "127.0.0.1") -> bool:
    """True if a server takes connections at this port."""
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


# How the site is served, and another server that may serve it; each takes a port.
SERVERS = {
    "daphne": ("-m", "config.serve", "-v", "0", "--port"),
    "uvicorn": (
        *("-m", "uvicorn", "config.asgi:application", "--log-level", "warning", "--no-proxy-headers"),
        *("--ws-ping-interval", "10", "--ws-ping-timeout", "8", "--ws-max-size", "16384", "--port"),
    ),
}
BIND = {"daphne": "--bind", "uvicorn": "--host"}  # the option for another address than 127.0.0.1


class Door:
    """A port at which browsers open sockets: of a web process, or of a proxy."""

    port: int

    def open(
        self, entry: Entry, visitor: Visitor | None, query: str = "", **options: Any
    ) -> AbstractContextManager[ClientConnection]:
        headers = {"Cookie": visitor.cookie} if visitor else {}
        address = f"ws://127.0.0.1:{self.port}/ws/entry/{entry.code}/{query}"
        return connect(
            address, additional_headers=headers, **{"origin": f"http://127.0.0.1:{self.port}", "proxy": None} | options
        )

    def refusal(self, entry: Entry, visitor: Visitor | None, **options: Any) -> tuple[int, bytes]:
        with pytest.raises(InvalidStatus) as refused, self.open(entry, visitor, **options):
            pass
        return refused.value.response.status_code, bytes(refused.value.response.body or b"")


class Web(Door):
    """A web process, and browsers' sockets to it."""

    def __init__(
        self,
        processes: Processes,
        server: str = "daphne",
        address: tuple[str, int] | None = None,
        /,
        **environment: str,
    ) -> None:
        self.host, self.port = address or ("127.0.0.1", free_port())
        self.server = server
        self.logs = processes.logs
        bind = () if self.host == "127.0.0.1" else (BIND[server], self.host)
        self.process = processes.start(*SERVERS[server], str(self.port), *bind, **environment)

    def wait(self) -> "Web":
        wait_for(lambda: is_listening(self.port, self.host) or self.process.poll() is not None)
        assert self.process.poll() is None, self.logs()
        return self
