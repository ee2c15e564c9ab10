"""The standby of a worker: one process for each entry still, and nothing lost whenever one of them ends."""

import signal
from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.db import connection

from queueing.models import Entry
from queueing.states import Status
from queueing.testing.presence import stay
from tests.support import probe
from tests.support.entries import status_of
from tests.support.probe import entered, hold
from tests.support.processes import Processes, horse_of, is_at_rest, is_dead, standby_of
from tests.support.waiting import wait_for

pytestmark = pytest.mark.postgres

Join = Callable[..., Entry]

# The connections of PostgreSQL that others have to the tests' database.
OTHERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()"
END_OTHERS = OTHERS.replace("SELECT pid", "SELECT pg_terminate_backend(pid)")


def succeeded(*entries: Entry) -> bool:
    return all(status_of(entry) == Status.SUCCEEDED for entry in entries)


def test_an_entry_runs_in_the_process_that_stood_by_and_each_has_its_own(processes: Processes, join: Join) -> None:
    worker = processes.worker()
    first, gate = standby_of(worker), hold("victim")
    entry, other = join("victim"), join("other")
    stay(entry, other)
    wait_for(lambda: entered("victim"))
    assert horse_of(worker).pid == first.pid
    second = standby_of(worker)  # forked while the first one works
    assert not is_dead(second)
    gate.unlink()
    wait_for(lambda: succeeded(entry, other))
    wait_for(lambda: is_dead(first) and is_dead(second))
    wait_for(lambda: is_at_rest(worker))
    assert probe.calls() == ["victim", "other"]


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_a_standby_that_ends_costs_nothing(processes: Processes, join: Join, sign: signal.Signals) -> None:
    worker = processes.worker()
    standby_of(worker).send_signal(sign)
    entry = join("one")
    stay(entry)
    wait_for(lambda: succeeded(entry))
    entry.refresh_from_db()
    assert entry.attempt == 1
    assert probe.calls() == ["one"]


def test_connections_that_died_while_it_stood_by_are_opened_again(
    processes: Processes, join: Join, valkey: redis.Redis
) -> None:
    worker = processes.worker()
    first = standby_of(worker)
    wait_for(lambda: any(client["name"] == "" for client in valkey.client_list()))
    if connection.vendor == "postgresql":
        wait_for(lambda: rows_of(OTHERS))
        rows_of(END_OTHERS)
    valkey.client_kill_filter(_type="normal", skipme=True)
    gate = hold("victim")
    entry = join("victim")
    stay(entry)
    wait_for(lambda: entered("victim"))
    assert horse_of(worker).pid == first.pid
    gate.unlink()
    wait_for(lambda: succeeded(entry))
    entry.refresh_from_db()
    assert entry.attempt == 1


def test_a_standby_ends_with_its_worker_however_it_ends(processes: Processes) -> None:
    killed, stopped = processes.worker(), processes.worker()
    both = [standby_of(killed), standby_of(stopped)]
    killed.kill()
    stopped.terminate()
    assert stopped.wait(30) == 0
    wait_for(lambda: all(is_dead(process) for process in both))


def rows_of(statement: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())
