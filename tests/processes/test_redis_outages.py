"""Redis is full, a replica, loading its data, or away: workers wait, and go on by themselves."""

import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from rq.command import send_stop_job_command
from rq.serializers import JSONSerializer

from queueing.line.jobs import job_key
from queueing.line.keys import line_keys
from queueing.models import Entry
from queueing.states import Status
from queueing.testing.presence import stay
from tests.support import probe
from tests.support.entries import status_of
from tests.support.own_valkey import OwnValkey
from tests.support.probe import entered, hold
from tests.support.processes import Processes, horse_of, is_at_rest
from tests.support.slow import slow
from tests.support.waiting import wait_for

Join = Callable[..., Entry]

FAULTS = ["full", *slow("replica", "loading"), "away"]
BEGINS, IS_OVER = "Redis is away, or takes no writes", "Redis takes writes again"
GATED = "tests.support.gated_worker.GatedWorker"


def succeeded(entry: Entry) -> bool:
    return status_of(entry) == Status.SUCCEEDED


def lease_end(entry: Entry) -> object:
    return Entry.objects.values_list("lease_until", flat=True).get(pk=entry.pk)


def is_renewed(entry: Entry, before: object) -> bool:
    return lease_end(entry) != before


@pytest.mark.parametrize("fault", FAULTS)
def test_an_idle_worker_waits_and_goes_on(
    own_valkey: OwnValkey, on_own_valkey: Processes, join: Join, fault: str
) -> None:
    worker = on_own_valkey.worker()
    own_valkey.begin(fault)
    wait_for(lambda: BEGINS in on_own_valkey.logs())
    own_valkey.end(fault)
    entry = join("after")
    stay(entry)
    wait_for(lambda: succeeded(entry))
    wait_for(lambda: IS_OVER in on_own_valkey.logs())
    assert worker.poll() is None
    assert (on_own_valkey.logs().count(BEGINS), on_own_valkey.logs().count(IS_OVER)) == (1, 1)
    assert probe.calls() == ["after"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_task_runs_to_its_end_with_its_lease_and_the_worker_goes_on(
    own_valkey: OwnValkey, on_own_valkey: Processes, join: Join, fault: str
) -> None:
    running, following = join("running"), join("following")
    stay(running, following)
    gate = hold("running")
    worker = on_own_valkey.worker()
    wait_for(lambda: entered("running"))
    own_valkey.begin(fault)
    wait_for(lambda: BEGINS in on_own_valkey.logs())
    for _ in range(2):
        wait_for(partial(is_renewed, running, lease_end(running)))
    gate.unlink()
    wait_for(lambda: succeeded(running))
    assert status_of(following) == Status.WAITING
    own_valkey.end(fault)
    if fault == "away":  # the places are gone with the data, and are the keeper's
        on_own_valkey.keeper()
    stay(following)
    wait_for(lambda: succeeded(following))
    assert worker.poll() is None
    assert probe.calls() == ["running", "following"]
    assert [entry.attempt for entry in (running, following)] == [1, 1]
    wait_for(lambda: not own_valkey.client.hlen(line_keys("probe").claims))


@pytest.mark.parametrize("fault", [*slow("full", "replica"), "away"])
@pytest.mark.parametrize("moment", ["claimed", "forked"])
def test_an_outage_between_claim_and_start_costs_no_attempt(
    own_valkey: OwnValkey, on_own_valkey: Processes, join: Join, fault: str, moment: str
) -> None:
    entry, other = join("first"), join("second")
    stay(entry, other)
    gate = Path(on_own_valkey.folder) / moment
    gate.touch()
    worker = on_own_valkey.manage("rqworker", "probe", "--worker-class", GATED, GATES=str(gate.parent))
    wait_for(gate.with_suffix(".reached").exists)
    own_valkey.begin(fault)
    gate.unlink()
    wait_for(lambda: BEGINS in on_own_valkey.logs())
    if fault == "away":  # a Redis that answers tells a horse that has its job who is present, full or not
        assert probe.calls() == []
    own_valkey.end(fault)
    stay(entry, other)
    if fault == "away":  # the places are gone with the data, and are the keeper's
        on_own_valkey.keeper()
    wait_for(lambda: succeeded(entry) and succeeded(other))
    assert worker.poll() is None
    assert sorted(probe.calls()) == ["first", "second"]
    assert [each.attempt for each in (entry, other)] == [1, 1]
    wait_for(lambda: not own_valkey.client.keys("rq:*execution*"))


@pytest.mark.parametrize("dies", [False, True])
def test_books_that_an_outage_has_refused_are_closed_when_it_is_over(
    own_valkey: OwnValkey, on_own_valkey: Processes, join: Join, *, dies: bool
) -> None:
    """Also those of the last job. The record of a horse that died meanwhile is left to RQ's maintenance."""
    entry = join("last")
    stay(entry)
    gate = hold("last")
    worker = on_own_valkey.worker()
    wait_for(lambda: entered("last"))
    own_valkey.begin("full")
    wait_for(lambda: BEGINS in on_own_valkey.logs())
    if dies:
        horse_of(worker).kill()
        wait_for(lambda: is_at_rest(worker))
    gate.unlink()
    wait_for(lambda: dies or succeeded(entry))
    own_valkey.end("full")
    stay(entry)
    wait_for(lambda: succeeded(entry))
    wait_for(lambda: not own_valkey.client.exists(f"rq:job:{entry.job_id}"))
    wait_for(lambda: dies or not own_valkey.client.keys("rq:*execution*"))


@pytest.mark.parametrize("fault", ["full", *slow("replica", "away")])
def test_a_stop_in_an_outage_lets_the_task_end_first(
    own_valkey: OwnValkey, on_own_valkey: Processes, join: Join, fault: str
) -> None:
    entry = join("last")
    stay(entry)
    gate = hold("last")
    worker = on_own_valkey.worker()
    wait_for(lambda: entered("last"))
    own_valkey.begin(fault)
    wait_for(lambda: BEGINS in on_own_valkey.logs())
    worker.send_signal(signal.SIGTERM)
    wait_for(lambda: "warm shut down requested" in on_own_valkey.logs())
    gate.unlink()
    assert worker.wait(30) == 0
    assert succeeded(entry)
    assert probe.calls() == ["last"]


@pytest.mark.slow
def test_an_idle_worker_can_be_stopped_in_an_outage(own_valkey: OwnValkey, on_own_valkey: Processes) -> None:
    worker = on_own_valkey.worker()
    own_valkey.begin("full")
    wait_for(lambda: BEGINS in on_own_valkey.logs())
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0


@pytest.mark.parametrize("fault", ["full", *slow("replica")])
def test_a_worker_that_is_started_in_an_outage_waits(
    own_valkey: OwnValkey, on_own_valkey: Processes, join: Join, fault: str
) -> None:
    entry = join("early")
    stay(entry)
    own_valkey.begin(fault)
    worker = on_own_valkey.manage("rqworker", "probe")
    wait_for(lambda: BEGINS in on_own_valkey.logs())
    own_valkey.end(fault)
    wait_for(lambda: succeeded(entry))
    assert worker.poll() is None


def test_a_worker_hears_rqs_commands_after_an_outage(
    own_valkey: OwnValkey, on_own_valkey: Processes, join: Join
) -> None:
    """The thread that listens for commands lives through a Redis that loads its data."""
    entry = join("stopped")
    stay(entry)
    hold("stopped")
    on_own_valkey.worker()
    wait_for(lambda: entered("stopped"))
    wait_for(lambda: own_valkey.client.hget(job_key(entry.job_id), "worker_name"))  # who hears the command, is saved
    own_valkey.begin("loading")
    wait_for(lambda: BEGINS in on_own_valkey.logs())
    own_valkey.end("loading")
    wait_for(lambda: own_valkey.client.pubsub_channels("rq:pubsub:*"))
    send_stop_job_command(own_valkey.client, entry.job_id, serializer=JSONSerializer)
    wait_for(lambda: status_of(entry) == Status.CANCELLED)


def test_a_worker_follows_the_address_of_redis_after_a_failover(
    own_valkey: OwnValkey, on_own_valkey: Processes, join: Join
) -> None:
    """Its connection leads to the server that has become a replica; a new one leads to the new primary.

    The worker is busy: Valkey closes the connection of an idle one, which is blocked in a command.
    """
    primary, address = OwnValkey(), Path(own_valkey.folder) / "address"
    entry = join("running")
    stay(entry)
    gate = hold("running")
    try:
        address.symlink_to(own_valkey.socket)
        on_own_valkey.environment["REDIS_URL"] = f"unix://{address}?db=0"
        worker = on_own_valkey.worker()
        wait_for(lambda: entered("running"))
        own_valkey.begin("replica")
        address.unlink()
        address.symlink_to(primary.socket)
        wait_for(lambda: primary.client.smembers("rq:workers"))
        gate.unlink()
        wait_for(lambda: succeeded(entry))
        assert worker.poll() is None
    finally:
        primary.kill()
