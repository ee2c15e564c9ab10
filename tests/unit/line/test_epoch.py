"""Claims without an epoch: after a flush, before the keeper has given the rows their places back."""

import logging
from collections.abc import Callable

import pytest
import redis

from queueing.line import epoch
from queueing.line.places import Line, get_line
from queueing.line.queue import LineQueue
from queueing.models import Entry
from tests.support.epochs import set_epoch
from tests.support.standing import stand

Join = Callable[..., Entry]


def test_a_claim_without_an_epoch_changes_nothing(join: Join, line: Line, valkey: redis.Redis) -> None:
    entries = [join(str(number)) for number in range(3)]
    valkey.delete(line.keys.epoch)
    before = valkey.zrange(line.keys.line, 0, -1, withscores=True)
    assert line.claim("w1") == (None, 0)
    assert line.epoch_wait.is_on
    assert valkey.zrange(line.keys.line, 0, -1, withscores=True) == before
    assert line.claims() == {}
    set_epoch(valkey, "probe", epoch.run_id(valkey))
    assert line.claim("w1").job_id == entries[0].job_id
    assert not line.epoch_wait.is_on


def test_a_claim_on_a_server_that_has_just_taken_over_waits_for_the_keeper(
    join: Join, line: Line, valkey: redis.Redis
) -> None:
    """Its copy may lack those ahead. The keeper has not noticed it yet."""
    entry = join()
    set_epoch(valkey, "probe", "0" * 40)
    assert line.claim("w1") == (None, 0)
    assert line.epoch_wait.is_on
    set_epoch(valkey, "probe", epoch.run_id(valkey))
    assert line.claim("w1").job_id == entry.job_id


def test_absent_entries_do_not_step_aside_without_an_epoch(join: Join, line: Line, valkey: redis.Redis) -> None:
    """After a flush nobody has beaten yet."""
    entry = join()
    valkey.delete(line.keys.epoch, f"presence:{entry.job_id}")
    assert line.claim("w1") == (None, 0)
    assert line.ids() == [entry.job_id]


def test_claims_go_on_without_an_epoch_when_patience_is_over(
    join: Join, line: Line, valkey: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """The keeper was dead before the flush."""
    caplog.set_level(logging.WARNING)
    entry, second = join(), join("second")
    valkey.delete(line.keys.epoch)
    assert line.claim("w1").job_id is None
    assert line.epoch_wait._since is not None
    line.epoch_wait._since -= epoch.PATIENCE
    assert line.claim("w1").job_id == entry.job_id
    assert line.claim("w2").job_id == second.job_id
    assert caplog.text.count("claims go on without") == 1
    set_epoch(valkey, "probe", epoch.run_id(valkey))
    join("third")
    line.claim("w3")
    valkey.delete(line.keys.epoch)
    join("fourth")
    assert line.claim("w4").job_id is None  # the next flush has a patience of its own


def test_a_foreign_job_never_waits_for_an_epoch(join: Join, line: Line, queue: LineQueue, valkey: redis.Redis) -> None:
    entry = join()
    queue.enqueue("tests.support.foreign.note", "a", job_id="foreign-a")
    queue.enqueue("tests.support.foreign.note", "b", job_id="foreign-b")
    valkey.delete(line.keys.epoch)
    assert line.claim("w1").job_id == "foreign-a"
    assert line.claim("w2").job_id == "foreign-b"
    assert line.claim("w3").job_id is None
    assert line.ids() == [entry.job_id]


def test_a_line_of_foreign_jobs_alone_has_no_epoch_and_never_waits(valkey: redis.Redis) -> None:
    line = get_line("stock")
    stand(line, "a", 1, presence=10)
    assert line.claim("w1").job_id == "a"
    assert not line.epoch_wait.is_on
