"""Connections to Redis.

redis-py retries 0 or 10 times, and waits for an answer for ever or 5 s, depending on how a client is made. Here both
are given explicitly, the same for all clients.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

import redis
import redis.asyncio
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from queueing.conf import site
from queueing.line.allowance import limited
from queueing.line.failover import async_following, following

# The base of all errors that a caller of Redis may have to catch.
RedisError = redis.RedisError
# The clients of a thread and of an event loop.
SyncRedis = redis.Redis
AsyncRedis = redis.asyncio.Redis


def is_wrong_type(error: redis.RedisError) -> bool:
    """True if a key holds another type than the command is for. Only another program can have written it."""
    return str(error).startswith("WRONGTYPE")


def raise_all_but_wrong_types(replies: Iterable[Any]) -> None:
    """Raise the first error among the replies of a pipeline, unless it is about a key of another type."""
    for reply in replies:
        if isinstance(reply, redis.ResponseError) and is_wrong_type(reply):
            continue
        if isinstance(reply, Exception):
            raise reply


def _timeouts() -> dict[str, Any]:
    return {
        "socket_timeout": site.REDIS_TIMEOUT,
        "socket_connect_timeout": site.REDIS_TIMEOUT,
        "health_check_interval": 30,
    }


def _one_retry() -> dict[str, Any]:
    return {"retry": Retry(ExponentialBackoff(cap=0.1, base=0.02), retries=1)}


def _short_greeting() -> dict[str, Any]:
    """Leave out the name and version of the driver: each costs a new connection a round trip."""
    return {"driver_info": None}


@cache
def connection() -> redis.Redis:
    """This process's client: short timeouts, one retry; in a web request, the allowance of that request."""
    client = redis.Redis.from_url(site.REDIS_URL, **_timeouts() | _one_retry() | _short_greeting())
    pool = client.connection_pool
    pool.connection_class = following(limited(pool.connection_class))
    return client


@cache
def patient_for(seconds: float) -> redis.Redis:
    """A client of this process that waits no longer than this for an answer, and does not ask twice."""
    patience = {"socket_timeout": seconds, "retry": Retry(NoBackoff(), retries=0)}
    return redis.Redis.from_url(site.REDIS_URL, **_timeouts() | patience)


def share_connection(client: redis.Redis) -> None:
    """In a new horse: make its worker's client the only one, with the options of `connection`.

    Each further connection would cost a start more than a millisecond.
    """
    client.connection_pool.connection_kwargs.update(_timeouts() | _one_retry() | _short_greeting())
    connection().connection_pool = client.connection_pool


def async_connection() -> AsyncRedis:
    """A new client for the running event loop. It waits for a free connection instead of failing at the 101st."""
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        site.REDIS_URL, max_connections=20, timeout=site.REDIS_TIMEOUT, **_timeouts()
    )
    pool.connection_class = async_following(pool.connection_class)
    return AsyncRedis.from_pool(pool)  # so that closing the client closes the pool
