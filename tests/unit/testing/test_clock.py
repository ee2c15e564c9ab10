"""The clock of the kit: what was stored gets older."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from queueing.conf import conf
from queueing.line import clients, keys, presence
from queueing.line.places import get_line
from queueing.models import Entry
from queueing.states import Status
from queueing.testing.clock import Clock
from queueing.testing.lines import InProcessLine, keeper_round
from queueing.testing.presence import stay
from tests.support.entries import status_of

pytestmark = pytest.mark.postgres
Join = Callable[..., Entry]


def test_presence_runs_out_and_goes_on_with_a_beat(empty_queue: None, join: Join, queue_clock: Clock) -> None:
    entry = join()
    queue_clock.advance(conf.PRESENCE_TTL - 5)
    assert presence.is_present(entry.queue, entry.job_id)
    assert presence.present_for(entry.queue, entry.job_id) == pytest.approx(conf.PRESENCE_TTL - 5, abs=3)
    queue_clock.advance(6)
    assert not presence.is_present(entry.queue, entry.job_id)


def test_a_presence_without_end_has_none(empty_queue: None, join: Join, queue_clock: Clock) -> None:
    entry = join()
    stay(entry)
    queue_clock.advance(24 * 3600)
    assert presence.is_present(entry.queue, entry.job_id)


def test_a_task_that_nobody_waits_for_any_more_is_over(empty_queue: None, join: Join, queue_clock: Clock) -> None:
    entry = join()
    assert presence.inspect(entry.queue, entry.job_id, None).present
    queue_clock.advance(conf.POLL_TTL)
    assert not presence.inspect(entry.queue, entry.job_id, None).is_over  # this look notes the moment
    queue_clock.advance(conf.LOST_GRACE + 1)
    assert presence.inspect(entry.queue, entry.job_id, None).is_over


def test_moments_of_rows_are_as_long_ago(empty_queue: None, join: Join, queue_clock: Clock) -> None:
    entry = join()
    queue_clock.advance(3600)
    entry.refresh_from_db()
    assert timezone.now() - entry.joined_at == pytest.approx(timedelta(hours=1), abs=timedelta(seconds=30))
    assert entry.finished_at is None


def test_a_run_whose_worker_died_goes_back_when_its_lease_is_over(
    empty_queue: None, join: Join, queue_clock: Clock
) -> None:
    entry = join()
    get_line("probe").claim("w")
    assert entry.start("w")
    get_line("probe").end_claim("w", entry.job_id)
    keeper_round()
    assert status_of(entry) == Status.RUNNING
    queue_clock.advance(conf.LEASE + 1)
    keeper_round()
    assert status_of(entry) == Status.WAITING


def test_a_claim_that_was_not_started_goes_back(
    empty_queue: None, join: Join, queue_clock: Clock, queue_line: Callable[[str], InProcessLine]
) -> None:
    entry = join()
    stay(entry)
    get_line("probe").claim("w")
    queue_clock.advance(conf.LEASE + 1)
    keeper_round()
    assert queue_line("probe").waiting() == [entry]


def test_joins_of_an_address_are_allowed_again(empty_queue: None, queue_clock: Clock) -> None:
    client = clients.connection()
    client.set(keys.on_time_key("a"), "5000000.250", px=90_000)
    queue_clock.advance(60)
    assert client.get(keys.on_time_key("a")) == b"4940000"
    assert 0 < client.pttl(keys.on_time_key("a")) <= 30_000


def test_time_does_not_go_back(queue_clock: Clock) -> None:
    with pytest.raises(ValueError, match="Time does not go back"):
        queue_clock.advance(-1)
