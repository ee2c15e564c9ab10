"""Faults of Redis: a Valkey of the test's own hangs, dies, and comes back empty."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone

from queueing import ending, joining, registry
from queueing.exceptions import RedisAway
from queueing.keeper.round import Keeper
from queueing.line.places import get_line
from queueing.models import Entry
from queueing.states import Status
from queueing.testing.presence import stay
from queueing.work import runner
from queueing.work.attempt import Attempt
from tests.support import probe
from tests.support.entries import status_of
from tests.support.epochs import end_pause
from tests.support.own_valkey import OwnValkey
from tests.support.probe import entered, hold
from tests.support.processes import Processes
from tests.support.waiting import wait_for

Join = Callable[..., Entry]


def test_the_last_look_waits_for_redis_and_then_runs_the_task(own_valkey: OwnValkey, join: Join, settings: Any) -> None:
    settings.QUEUEING = {"REDIS_PATIENCE": 1}
    entry = join()
    own_valkey.hang()
    runner.run_entry(entry.job_id)
    own_valkey.go_on()
    assert status_of(entry) == Status.SUCCEEDED
    assert probe.calls() == ["x"]


def test_a_join_is_refused_while_redis_is_away_and_nothing_is_stored(own_valkey: OwnValkey, join: Join) -> None:
    own_valkey.kill()
    with pytest.raises(RedisAway):
        join()
    assert not Entry.objects.exists()


def test_redis_dying_between_the_row_and_the_place_loses_nothing(own_valkey: OwnValkey) -> None:
    with transaction.atomic():
        entry = joining.join(
            registry.get_task("probe"),
            code=uuid.uuid4(),
            owner=joining.Owner(uuid.uuid4()),
            upload=ContentFile(b"a,b\n", name="a.csv"),
            content_type="text/csv",
            options={},
        )
        own_valkey.kill()
    assert status_of(entry) == Status.WAITING
    own_valkey.start()
    own_valkey.client.flushall()
    Entry.objects.update(seen_at=timezone.now())
    keeper = Keeper()
    keeper.round()
    end_pause(keeper)
    assert keeper.round()["restored"] == 1
    assert get_line("probe").ids() == [entry.job_id]


def test_leaving_while_redis_is_away_ends_the_row_and_the_keeper_clears_the_place(
    own_valkey: OwnValkey, join: Join
) -> None:
    entry = join()
    own_valkey.hang()
    ending.leave(entry)
    own_valkey.go_on()
    assert status_of(entry) == Status.CANCELLED
    Keeper().round()
    assert get_line("probe").count_entries() == 0


def test_an_idle_worker_outlives_a_redis_that_comes_back_empty(
    own_valkey: OwnValkey, on_own_valkey: Processes, join: Join
) -> None:
    on_own_valkey.worker()
    own_valkey.kill()
    own_valkey.start()
    entry = join("after")
    stay(entry)
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED)


def test_a_task_goes_on_while_redis_is_away_and_runs_once(
    own_valkey: OwnValkey, on_own_valkey: Processes, join: Join
) -> None:
    entry = join("steady", seconds=6)
    stay(entry)
    on_own_valkey.manage("rqworker-pool", "probe")  # a supervisor: the worker may end when its books cannot be closed
    wait_for(lambda: entered("steady"))
    own_valkey.kill()
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED)
    assert probe.calls() == ["steady"]
    own_valkey.start()
    later = join("later")
    stay(later)
    wait_for(lambda: status_of(later) == Status.SUCCEEDED)


@pytest.mark.slow
def test_a_hanging_redis_during_a_task_does_not_cost_the_lease(
    own_valkey: OwnValkey, on_own_valkey: Processes, join: Join
) -> None:
    entry = join("hung")
    stay(entry)
    gate = hold("hung")
    on_own_valkey.worker()
    on_own_valkey.keeper()
    wait_for(lambda: entered("hung"))
    own_valkey.hang()
    began = timezone.now()
    wait_for(lambda: Entry.objects.filter(lease_until__gt=began + timedelta(seconds=4)).exists())
    own_valkey.go_on()
    gate.unlink()
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED)
    assert probe.calls() == ["hung"]


def test_a_redis_that_hangs_keeps_a_task_waiting_once_in_a_while_only(
    own_valkey: OwnValkey, join: Join, caplog: pytest.LogCaptureFixture
) -> None:
    entry = join()
    assert entry.start("w")
    attempt = Attempt(entry)
    own_valkey.hang()
    for _ in range(20):
        attempt._hinted = attempt._looked = 0
        attempt.report(0.5, "half")
    own_valkey.go_on()
    assert [record.message for record in caplog.records if "No hint could be sent" in record.message] == [
        f"No hint could be sent for entry {entry.code}: Redis failed (Timeout reading from socket)"
    ]
