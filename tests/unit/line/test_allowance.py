"""The allowance of a web request, against servers that listen and never answer, and against a real Valkey."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis

from queueing.line import allowance
from queueing.line.allowance import LeftAlone, allow_waiting, circuit
from queueing.line.clients import connection
from tests.support.connections import forget_connections

ALLOWANCE = 0.2
PLENTY = 5.0  # where Redis answers, however slow the machine is
# All else that a request does here, on a slow machine. Without the allowance it would wait for REDIS_TIMEOUT, twice.
WORK, REDIS_TIMEOUT = 9.0, 10.0


@pytest.fixture(autouse=True)
def _own_connections(valkey: redis.Redis, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.REDIS_TIMEOUT = REDIS_TIMEOUT
    monkeypatch.setattr(allowance, "PAUSE", 600.0)  # no pause is over by itself
    forget_connections()
    yield
    forget_connections()


@pytest.fixture(params=["redis", "rediss", "unix"])
def silent(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> Iterator[None]:
    """A server that lets clients connect, and then hangs, at an address of each kind."""
    if request.param == "unix":
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        settings.REDIS_URL = f"unix://{tmp_path / 'socket'}"
    else:
        listener = socket.create_server(("127.0.0.1", 0))
        settings.REDIS_URL = f"{request.param}://127.0.0.1:{listener.getsockname()[1]}/0"
    yield
    listener.close()


def ask(seconds: float = ALLOWANCE) -> float:
    """One request with a command; returns what is left of its allowance."""
    with allow_waiting(seconds) as mine, contextlib.suppress(LeftAlone):
        connection().ping()
    return mine.left


def test_all_commands_together_wait_for_one_allowance(silent: None) -> None:
    began = time.monotonic()
    with allow_waiting(ALLOWANCE) as mine:
        for _ in range(5):
            with pytest.raises(LeftAlone):
                connection().ping()
    assert mine.left <= 0
    assert time.monotonic() - began < ALLOWANCE + WORK


@pytest.mark.parametrize("silent", ["redis"], indirect=True)
def test_what_one_request_found_out_spares_all_threads(silent: None) -> None:
    assert ask() <= 0
    with ThreadPoolExecutor(10) as threads:
        left = list(threads.map(lambda _: ask(), range(30)))
    assert left == [ALLOWANCE] * 30  # none of them waited


@pytest.mark.parametrize("silent", ["redis"], indirect=True)
def test_after_the_pause_one_request_asks_for_all(silent: None) -> None:
    assert ask() <= 0
    together = threading.Barrier(10)

    def ask_together(_: int) -> float:
        together.wait()
        return ask()

    circuit._next_try = 0  # the pause is over
    with ThreadPoolExecutor(10) as threads:
        left = sorted(threads.map(ask_together, range(10)))
    assert left[0] <= 0
    assert left[1:] == [ALLOWANCE] * 9


def test_an_answer_closes_the_circuit_also_if_it_is_a_refusal(valkey: redis.Redis) -> None:
    valkey.set("text", "x")
    for command in (lambda: connection().ping(), lambda: connection().incr("text")):
        circuit.open()
        circuit._next_try = 0
        with allow_waiting(PLENTY), contextlib.suppress(redis.ResponseError):
            command()
        assert circuit._next_try is None
        assert ask(PLENTY) > 0


def test_only_waits_for_redis_count() -> None:
    """A long upload between two commands takes nothing from the second one."""
    with allow_waiting(0.5):
        connection().ping()
        time.sleep(0.6)
        connection().ping()


def test_other_processes_are_not_limited() -> None:
    """Workers, keeper and commands have no allowance: the circuit of a web process is nothing to them."""
    circuit.open()
    assert ask() == ALLOWANCE
    assert connection().ping()


def test_a_connection_has_its_usual_timeout_after_the_request() -> None:
    with allow_waiting(PLENTY):
        connection().ping()
    made = connection().connection_pool.get_connection()
    assert isinstance(made, allowance.LimitedWaits)
    assert made._sock is not None
    assert made._sock.gettimeout() == made._parser._buffer.socket_timeout == REDIS_TIMEOUT
    connection().connection_pool.release(made)


def test_an_answer_that_nobody_awaited_is_not_taken_for_the_next_one(valkey: redis.Redis) -> None:
    valkey.set("text", "x")
    pool = connection().connection_pool
    with allow_waiting(PLENTY) as mine:
        made = pool.get_connection()
        made.send_command("ECHO", "late")
        mine.left = 0  # used up by another answer of the same pipeline
        with pytest.raises(LeftAlone):
            made.read_response()
        made._parser.can_read = lambda *_: False  # the answer has not arrived yet
        pool.release(made)
    assert connection().get("text") == b"x"


def test_a_command_that_would_not_be_awaited_is_not_sent(valkey: redis.Redis) -> None:
    connection().ping()  # so that there is an open connection
    circuit.open()
    with allow_waiting(ALLOWANCE), pytest.raises(LeftAlone):
        connection().incr("times")
    assert valkey.get("times") is None
