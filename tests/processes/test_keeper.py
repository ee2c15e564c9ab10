"""`manage.py keeper` as a process."""

import signal
from contextlib import closing

import pytest
import redis

from queueing.line import clients, keys
from tests.support.processes import Processes
from tests.support.servers import free_port, start_valkey
from tests.support.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_keeper_ends_when_told(processes: Processes) -> None:
    keeper = processes.keeper()
    keeper.send_signal(signal.SIGTERM)
    assert keeper.wait(10) == 0
    assert "Traceback" not in processes.logs()


def test_the_keeper_survives_a_redis_that_is_away(processes: Processes) -> None:
    port = free_port()
    server = start_valkey(port)
    with closing(redis.Redis(port=port)) as client:
        try:
            keeper = processes.manage("keeper", REDIS_URL=f"redis://127.0.0.1:{port}/0")
            wait_for(lambda: client.exists(keys.KEEPER))
            server.kill()
            server.wait(10)
            wait_for(lambda: "Redis is away" in processes.logs())
            assert keeper.poll() is None
            server = start_valkey(port)  # and empty
            wait_for(lambda: client.exists(keys.KEEPER))
            wait_for(lambda: "keeper: Redis answers again, after " in processes.logs())
            wait_for(lambda: client.delete(keys.KEEPER)), wait_for(lambda: client.exists(keys.KEEPER))  # one more round
            assert processes.logs().count("Redis answers again") == 1
            keeper.send_signal(signal.SIGTERM)
            assert keeper.wait(10) == 0
        finally:
            server.kill()
            server.wait(10)


@pytest.mark.parametrize("level", ["INFO", "ERROR"])
def test_the_keeper_says_at_its_start_what_it_does_whatever_the_log_shows(level: str, processes: Processes) -> None:
    processes.manage("keeper", LOG_LEVEL=level)
    wait_for(lambda: clients.connection().exists(keys.KEEPER))
    sentence = "keeper: holds, drops and recovers the entries of documents, tables, probe, each "
    assert processes.logs().count(sentence) == 1
