"""Sentinels that hang: a web request waits for them within its allowance, and for a look at them not at all."""

import contextlib
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

from queueing.line import address, sentinels
from queueing.line.allowance import allow_waiting
from queueing.line.clients import connection
from queueing.line.sentinels import FRESH, Primary
from tests.support.connections import forget_connections
from tests.support.waiting import wait_for

ALLOWANCE = 0.2
# Seconds that a request takes at least if it waits for a look at sentinels that hang: all that it does else is done by
# then on a slow machine, too.
LOOK = 2.0


@pytest.fixture
def primary(valkey: redis.Redis, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Primary]:
    """The tests' own Valkey, named by three sentinels that hang since then."""
    found = urlsplit(settings.REDIS_URL)
    for name in ("PATIENCE", "AT_ONCE"):
        monkeypatch.setattr(sentinels, name, LOOK)
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        hosts = ",".join(f"127.0.0.1:{listener.getsockname()[1]}" for listener in listeners)
        settings.REDIS_URL = f"sentinel://{hosts}/primary/0"
        forget_connections()
        made: Primary = address.options(settings.REDIS_URL)["primary"]
        made._note((str(found.hostname), found.port or 6379))
        connection().ping()
        yield made
    forget_connections()


def let_pass(primary: Primary, seconds: float) -> None:
    """The sentinels were asked so long ago."""
    primary._asked_at = time.monotonic() - seconds


def request() -> float:
    """A web request with one command; returns the seconds that it takes."""
    began = time.monotonic()
    with allow_waiting(ALLOWANCE), contextlib.suppress(redis.RedisError):
        connection().ping()
    return time.monotonic() - began


def test_a_request_does_not_wait_for_a_look(primary: Primary) -> None:
    let_pass(primary, 60)
    assert request() < LOOK
    assert not primary.is_due()  # it is on its way
    interval = primary._interval
    wait_for(lambda: primary._interval > interval)  # nobody answered


def test_a_new_connection_waits_for_the_sentinels_within_the_allowance(primary: Primary) -> None:
    connection().connection_pool.disconnect()
    let_pass(primary, FRESH)
    assert request() < LOOK


def test_sentinels_that_were_away_are_asked_again_soon(primary: Primary) -> None:
    """They name another primary within 15 s of its election, also after a long outage."""
    primary.forget()  # nobody can be asked
    for _ in range(10):
        let_pass(primary, 60)
        primary.look()
    let_pass(primary, 5)
    assert primary.is_due()
