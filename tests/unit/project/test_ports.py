"""The ports of the tests' servers: two that are started at the same time do not meet."""

import subprocess
import sys

import pytest

from tests.support import servers
from tests.support.paths import ROOT

CHOOSE = """
import socket, sys
with socket.socket(type=socket.SOCK_DGRAM) as mark:
    try:
        mark.bind(("127.0.0.1", int(sys.argv[1])))
    except OSError:
        print("taken")
"""


def test_a_port_that_was_chosen_is_not_chosen_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also before its server listens, and in another process."""
    first, second = servers.free_port(), servers.free_port()
    servers._marks.pop().close()  # so that the second one may be chosen
    chances = [first, second]
    monkeypatch.setattr(servers._random, "randrange", lambda *_: chances.pop(0))
    assert servers.free_port() == second
    told = subprocess.run(
        [sys.executable, "-c", CHOOSE, str(second)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout == "taken\n"
