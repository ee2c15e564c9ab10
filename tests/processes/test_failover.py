"""A failover of Redis: the server that a connection leads to is a replica now, and its address is another server's."""

import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ReadOnlyError

from queueing.keeper.round import Keeper
from queueing.line import clients, keys
from tests.support.connections import forget_connections
from tests.support.own_valkey import OwnValkey
from tests.support.processes import Processes
from tests.support.waiting import wait_for
from tests.support.web import Web


@pytest.fixture
def primary(own_valkey: OwnValkey) -> Iterator[OwnValkey]:
    """The server that will be the primary."""
    made = OwnValkey()
    yield made
    made.client.close()
    made.kill()


@pytest.fixture
def address(own_valkey: OwnValkey, settings: Any) -> Path:
    """The address of Redis, now and after the failover: a link to the socket of the primary."""
    link = Path(own_valkey.folder) / "address"
    link.symlink_to(own_valkey.socket)
    settings.REDIS_URL = f"unix://{link}?db=0"
    forget_connections()
    return link


@pytest.fixture
def fail_over(own_valkey: OwnValkey, primary: OwnValkey, address: Path) -> Callable[[], None]:
    def to_primary() -> None:
        own_valkey.begin("replica")
        address.unlink()
        address.symlink_to(primary.socket)

    return to_primary


def test_one_refusal_leads_all_connections_to_the_new_primary(
    primary: OwnValkey, fail_over: Callable[[], None]
) -> None:
    client = clients.connection()
    pool = client.connection_pool
    both = [pool.get_connection() for _ in range(2)]
    for connection in both:
        pool.release(connection)
    fail_over()
    with pytest.raises(ReadOnlyError):
        client.set("moved", 1)
    client.set("moved", 2)
    taken = pool.get_connection()
    client.set("moved too", 3)  # over the other connection
    pool.release(taken)
    assert (primary.client.get("moved"), primary.client.get("moved too")) == (b"2", b"3")


def test_a_pipeline_is_read_to_its_end_before_its_connection_is_left(
    primary: OwnValkey, fail_over: Callable[[], None]
) -> None:
    client = clients.connection()
    client.set("here", 1)
    fail_over()
    with client.pipeline(transaction=False) as pipe:
        for command in (pipe.get, pipe.incr, pipe.get):
            command("here")
        first, refusal, last = pipe.execute(raise_on_error=False)
    assert (first, type(refusal), last) == (b"1", ReadOnlyError, b"1")
    client.set("moved", 2)
    assert primary.client.get("moved") == b"2"


async def test_the_connections_of_an_event_loop_follow_too(primary: OwnValkey, fail_over: Callable[[], None]) -> None:
    client = clients.async_connection()
    await client.set("here", 1)
    fail_over()
    with pytest.raises(ReadOnlyError):
        await client.set("moved", 1)
    await client.set("moved", 2)
    assert primary.client.get("moved") == b"2"
    await client.aclose()


def test_the_keepers_second_round_reaches_the_new_primary(primary: OwnValkey, fail_over: Callable[[], None]) -> None:
    keeper = Keeper()
    keeper.round()
    fail_over()
    with pytest.raises(ReadOnlyError):
        keeper.round()
    keeper.round()
    assert primary.client.exists(keys.KEEPER)


def test_web_and_keeper_go_on_with_the_new_primary(
    own_valkey: OwnValkey, primary: OwnValkey, address: Path, fail_over: Callable[[], None], processes: Processes
) -> None:
    processes.environment["REDIS_URL"] = f"unix://{address}?db=0"
    web = Web(processes).wait()
    urllib.request.urlopen(f"http://127.0.0.1:{web.port}/healthz").close()  # the watch begins with the first request
    processes.keeper()
    wait_for(lambda: own_valkey.client.exists(keys.WATCH))
    fail_over()
    wait_for(lambda: primary.client.exists(keys.WATCH) and primary.client.exists(keys.KEEPER))
