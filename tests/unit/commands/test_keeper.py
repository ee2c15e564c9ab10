"""`manage.py keeper` for one round."""

import logging
import time
from collections.abc import Callable

import pytest
import redis
from django.db import InterfaceError

from queueing.keeper.round import Keeper
from queueing.line.places import Line
from queueing.management.commands.keeper import Command
from queueing.models import Entry
from queueing.testing.presence import go
from tests.support.commands import run_command

pytestmark = pytest.mark.django_db(transaction=True)


Join = Callable[..., Entry]


def test_one_round_says_what_it_moved(join: Join, line: Line) -> None:
    stays, goes = join("stays"), join("goes")
    go(goes)
    words = run_command("keeper", "--once")
    assert words.startswith("1 held, 0 dropped, 0 claims returned, ")
    assert words.endswith(".")
    assert (line.ids(), line.held_ids()) == ([stays.job_id], [goes.job_id])


def test_a_closed_connection_ends_a_round_and_not_the_keeper(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django's InterfaceError is no DatabaseError. Workers could not renew their leases meanwhile."""

    def fail() -> None:
        raise InterfaceError("connection already closed")

    keeper = Keeper()
    keeper._no_leases_before = 0
    monkeypatch.setattr(keeper, "round", fail)
    with caplog.at_level(logging.WARNING):
        Command()._round(keeper)
    assert "the database is away (connection already closed)" in caplog.text
    assert keeper._no_leases_before > time.monotonic()


def test_a_redis_that_evicts_keys_is_a_line_at_the_start_and_no_other(
    valkey: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    command, keeper = Command(), Keeper()
    valkey.config_set("maxmemory-policy", "allkeys-lru")
    try:
        with caplog.at_level(logging.WARNING):
            command._round(keeper)
            command._round(keeper)
    finally:
        valkey.config_set("maxmemory-policy", "noeviction")
    [line] = [said for said in caplog.messages if "evicts keys" in said]
    assert line.startswith("keeper: Redis evicts keys (allkeys-lru) when its memory is full. Set maxmemory-policy")
