"""At the end of each minute the lines are sampled, by one keeper."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import redis
from django.utils import timezone

from queueing.history.books import minute_of
from queueing.history.sampling import sample
from queueing.keeper import remembering
from queueing.keeper.remembering import Rememberer
from queueing.line import clients, epoch
from queueing.line.keys import line_keys
from queueing.line.places import Line
from queueing.models import Entry
from queueing.work.worker import PresenceWorker
from tests.support import ledger

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

Join = Callable[..., Entry]
MINUTE = minute_of(timezone.now())


def samples() -> list[tuple[datetime, int, int, int, int, int]]:
    found = sorted((at, tally) for queue, at, tally in ledger.tallies() if queue == "probe" and tally.samples)
    return [(at, t.samples, t.present, t.held, t.running, t.workers) for at, t in found]


def test_a_minute_ends_with_its_numbers(join: Join, line: Line) -> None:
    for name in ("one", "two"):
        PresenceWorker(["probe", "tables"], name=name, connection=clients.connection()).register_birth()
    entries = [join(str(number)) for number in range(5)]
    line.client.delete(f"presence:{entries[0].job_id}")
    line.claim("one")  # passes over the first
    entries[1].start("one")
    assert sample(MINUTE) == 3
    assert samples() == [(MINUTE, 1, 3, 1, 1, 2)]


def test_two_keepers_sample_a_minute_once(join: Join) -> None:
    join()
    assert (sample(MINUTE), sample(MINUTE)) == (3, 0)
    assert sample(MINUTE + timedelta(minutes=1)) == 3
    assert [row[1:3] for row in samples()] == [(1, 1), (1, 1)]


def test_a_line_without_places_after_a_flush_has_no_sample(join: Join, valkey: redis.Redis) -> None:
    join()
    valkey.delete(line_keys("probe").epoch)
    sample(MINUTE)
    assert samples() == []


def test_workers_that_may_come_back_after_a_flush_are_not_counted_as_none(join: Join, valkey: redis.Redis) -> None:
    epoch.begin_restoring(valkey, "probe")
    epoch.begin_epoch(valkey, "probe", epoch.run_id(valkey))
    sample(MINUTE)
    assert samples() == []


def test_a_keeper_that_comes_late_invents_no_sample(
    join: Join, monkeypatch: pytest.MonkeyPatch, freeze: Callable[[datetime], None]
) -> None:
    rememberer = Rememberer()
    freeze(MINUTE + timedelta(seconds=remembering.LATEST_SAMPLE + 1))
    assert rememberer.sample() == 0
    freeze(MINUTE + timedelta(minutes=1, seconds=1))
    assert (rememberer.sample(), rememberer.sample()) == (3, 0)
    assert [row[0] for row in samples()] == [MINUTE]


@pytest.fixture
def freeze(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Set the clock of the keeper's process."""
    return lambda moment: monkeypatch.setattr("queueing.site_time.now", lambda: moment)
