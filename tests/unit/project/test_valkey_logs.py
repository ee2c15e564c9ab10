"""A Valkey of the tests that does not come back says why, and its log is not among its data."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.available import Node
from tests.support.servers import free_port, start_valkey
from tests.support.wire import Wire

WRONG = ("--appendonly", "perhaps")


@pytest.fixture
def node() -> Iterator[Node]:
    wire = Wire()
    made = Node(40, wire)
    yield made
    made.stop()
    wire.stop()


def test_a_server_that_does_not_start_says_why() -> None:
    with pytest.raises(RuntimeError, match="appendonly"):
        start_valkey(free_port(), *WRONG)


def test_a_node_that_does_not_come_back_says_why(node: Node) -> None:
    node.start()
    node.kill()
    with pytest.raises(RuntimeError, match=r"(?s)Valkey 40 .*appendonly"):
        node.start_again(*WRONG)


def test_the_log_of_a_node_is_not_on_its_disk(node: Node, tmp_path: Path) -> None:
    node.folder = tmp_path
    node.start()
    assert "Ready to accept connections" in node.log.read_text()
    assert list(tmp_path.iterdir()) == []
