"""`tools/walk.py` where something is in its way."""

import socket
from pathlib import Path

import pytest

from tools import walk


def test_a_port_that_was_taken_meanwhile_is_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        refused = pytest.raises(walk.WalkFailed, match=f"could not take port {port}, which was free before")
        with refused, walk.valkey(port, tmp_path):
            pass


def test_a_port_that_is_free_is_taken_by_the_time_that_the_walk_goes_on(tmp_path: Path) -> None:
    port = walk.free_port()
    with walk.valkey(port, tmp_path), socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"PING\r\n")
        assert client.recv(16) == b"+PONG\r\n"
