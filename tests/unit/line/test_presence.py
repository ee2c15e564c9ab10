"""Presence by its keys: one that lives for too long says nothing."""

from collections.abc import Callable

import pytest
import redis

from queueing import joining
from queueing.conf import conf
from queueing.keeper import holding
from queueing.keeper.round import Keeper
from queueing.line import presence
from queueing.line.keys import presence_key
from queueing.line.places import Line
from queueing.models import Entry
from queueing.testing.presence import watch_since
from queueing.work import runner

Join = Callable[..., Entry]


@pytest.fixture
def relic(join: Join, valkey: redis.Redis) -> Entry:
    """An entry whose page has gone, and whose key lives on: the clock of the server was put back by five minutes."""
    entry = join()
    valkey.expire(presence_key(entry.job_id), round(conf.PRESENCE_TTL + 300))
    return entry


def test_nothing_starts_for_a_key_that_lives_too_long(relic: Entry, line: Line) -> None:
    assert line.claim("w1").job_id == relic.job_id
    runner.run_entry(relic.job_id)
    relic.refresh_from_db()
    assert (relic.status, relic.attempt) == ("waiting", 0)
    assert not presence.is_present(relic.queue, relic.job_id)


def test_a_task_does_not_go_on_for_a_key_that_lives_too_long(relic: Entry) -> None:
    watch_since(3600)
    assert not presence.inspect(relic.queue, relic.job_id, None).present
    assert presence.inspect(relic.queue, relic.job_id, None).gone_for is not None


def test_the_keeper_notices_a_key_that_lives_too_long(relic: Entry, line: Line) -> None:
    """Without it, everybody behind would count one ahead until a worker has come that far."""
    assert Keeper().hold(line) == 1
    assert (line.ids(), line.held_ids()) == ([], [relic.job_id])
    assert not presence.is_present(relic.queue, relic.job_id)


def test_the_keeper_looks_at_one_window_of_keys_a_round_and_at_each_in_turn(
    join: Join, line: Line, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "WINDOW", 2)
    entries = [join(str(number)) for number in range(7)]
    keeper = Keeper()
    assert keeper.hold(line) == 0  # looks at the first two
    for entry in entries:
        valkey.expire(presence_key(entry.job_id), round(conf.PRESENCE_TTL + 300))
    valkey.persist(presence_key(entries[-1].job_id))  # a presence without end
    assert [keeper.hold(line) for _ in range(6)] == [2, 2, 0, 2, 0, 0]
    assert line.ids() == [entries[-1].job_id]


def test_a_page_that_is_open_is_present_again_with_its_next_beat(relic: Entry) -> None:
    assert not presence.is_present(relic.queue, relic.job_id)
    presence.beat("probe", [relic.job_id], conf.PRESENCE_TTL)
    assert presence.is_present(relic.queue, relic.job_id)


def test_a_long_look_by_code_is_believed(join: Join, line: Line) -> None:
    """As in the README's example."""
    entry = join(looked=False)
    joining.look(entry, 60)
    assert Keeper().hold(line) == 0
    assert presence.is_present(entry.queue, entry.job_id)
    assert presence.inspect(entry.queue, entry.job_id, None).present
    with pytest.raises(ValueError, match="at most 120 s"):
        joining.look(entry, 3600)


def test_a_presence_without_end_is_believed(join: Join, valkey: redis.Redis) -> None:
    entry = join()
    valkey.persist(presence_key(entry.job_id))
    assert presence.is_present(entry.queue, entry.job_id)
    assert presence.inspect(entry.queue, entry.job_id, None).present
