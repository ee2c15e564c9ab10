"""The health checks of containers, asked as an orchestrator asks them."""

import socket
import subprocess
import sys

import pytest
import redis

from queueing.line.clients import connection
from tests.support.own_valkey import OwnValkey
from tests.support.paths import ROOT
from tests.support.processes import Processes
from tests.support.waiting import wait_for


def code(processes: Processes, part: str, **environment: str) -> int:
    return ask(part, processes.environment | environment)


def ask(part: str, environment: dict[str, str]) -> int:
    command = [sys.executable, "-m", "queueing.alive", part]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


@pytest.mark.parametrize("part", ["keeper", "worker"])
def test_a_process_is_alive_while_it_gives_its_sign(processes: Processes, transactional_db: None, part: str) -> None:
    assert code(processes, part) == 1
    if part == "keeper":
        processes.keeper()
    else:
        processes.worker()
    wait_for(lambda: code(processes, part) == 0)


@pytest.mark.parametrize("part", ["keeper", "worker"])
def test_a_container_names_no_settings(processes: Processes, transactional_db: None, part: str) -> None:
    """docker-compose.yml and the manifests leave DJANGO_SETTINGS_MODULE to the programs."""
    getattr(processes, part)()
    environment = {name: processes.environment[name] for name in ("PATH", "REDIS_URL", "DATABASE_URL")}
    environment |= {"WITHOUT_SECRET_KEY": "1", "ALLOWED_HOSTS": "localhost"}
    wait_for(lambda: ask(part, environment) == 0)


def test_a_worker_of_another_host_does_not_count(processes: Processes, transactional_db: None) -> None:
    processes.worker()
    (key,) = connection().smembers("rq:workers")
    connection().hset(key, "hostname", f"not {socket.gethostname()}")
    assert code(processes, "worker") == 1


def test_a_redis_that_is_away_is_no_sign(processes: Processes, own_valkey: OwnValkey) -> None:
    address = f"redis://127.0.0.1:{own_valkey.port}/0"
    own_valkey.client.shutdown(nosave=True)
    with pytest.raises(redis.ConnectionError):
        own_valkey.client.ping()
    assert code(processes, "keeper", REDIS_URL=address) == 1


def test_another_part_is_a_mistake(processes: Processes) -> None:
    assert code(processes, "web") == 2
