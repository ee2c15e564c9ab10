"""A Lobby whose beats and ticks the tests call one by one."""

from collections.abc import AsyncIterator

import pytest
import redis

from queueing.web.lobby import Lobby


@pytest.fixture
async def lobby(valkey: redis.Redis) -> AsyncIterator[Lobby]:
    made = Lobby()
    yield made
    await made.stop()
