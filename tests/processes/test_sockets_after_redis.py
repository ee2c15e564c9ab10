"""Sockets that come while Redis is away, and first after it was: the page is sent away or let in, never failed."""

import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.support.own_valkey import OwnValkey
from tests.support.processes import Processes
from tests.support.visitors import Visitor
from tests.support.web import Web


def read(ws: ClientConnection) -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(ws.recv(timeout=10))
    return frame


@pytest.fixture
def web(on_own_valkey: Processes, transactional_db: None) -> Web:
    return Web(on_own_valkey).wait()


def test_the_first_socket_after_a_restart_of_redis_is_let_in(
    web: Web, own_valkey: OwnValkey, on_own_valkey: Processes
) -> None:
    """The connection of the channel layer is dead, and nobody has noticed since."""
    visitor = Visitor()
    entry = visitor.join()
    for _ in range(3):
        with web.open(entry, visitor) as ws:
            assert read(ws)["status"] == "waiting"
        own_valkey.kill()
        own_valkey.start()
    with web.open(entry, visitor) as ws:
        assert read(ws)["status"] == "waiting"
    assert "Exception inside application" not in on_own_valkey.logs()


def test_a_socket_that_comes_while_redis_is_away_is_sent_away(
    web: Web, own_valkey: OwnValkey, on_own_valkey: Processes
) -> None:
    """A 500 would be a fault of ours in the logs; 4013 lets the page try again."""
    visitor = Visitor()
    entry = visitor.join()
    for is_known in (False, True):  # the layer has had a connection
        own_valkey.kill()
        with web.open(entry, visitor) as ws, pytest.raises(ConnectionClosed) as closed:
            read(ws)
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 4013, is_known
        own_valkey.start()
        with web.open(entry, visitor) as ws:
            assert read(ws)["status"] == "waiting"
    assert "Exception inside application" not in on_own_valkey.logs()
