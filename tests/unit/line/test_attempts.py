"""Attempts to sign in, where another program has written their key."""

from collections.abc import Callable

import pytest
import redis

from queueing.line import attempts
from queueing.line.keys import ATTEMPTS

KEY = ATTEMPTS.format(digest="d")


@pytest.mark.parametrize(
    "write",
    [
        lambda client: client.set(KEY, "rubbish"),
        lambda client: client.rpush(KEY, 1),
        lambda client: client.set(KEY, "9" * 30),
    ],
    ids=["text", "list", "large"],
)
def test_a_count_of_no_sense_begins_anew(write: Callable[[redis.Redis], object], valkey: redis.Redis) -> None:
    write(valkey)
    assert [attempts.count("d"), attempts.count("d")] == [1, 2]


def test_a_count_without_an_end_gets_one(valkey: redis.Redis) -> None:
    valkey.set(KEY, 3)
    assert attempts.count("d") == 4
    assert valkey.pttl(KEY) > 0
