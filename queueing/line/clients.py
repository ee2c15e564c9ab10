"""Connections to Redis.

redis-py retries 0 or 10 times, and waits for an answer for ever or 5 s, depending on how a client is made. Here both
are given explicitly, the same for all clients. Where Redis is, `address.py` makes out of REDIS_URL.

A line may have a Redis of its own: RQ_QUEUES names its address. Lines on one address share a client, and all that is
of no line is at REDIS_URL.
"""

from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from typing import Any
from weakref import WeakSet

import redis
import redis.asyncio
import redis.asyncio.retry
from django.conf import settings
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from queueing.conf import site
from queueing.line import address
from queueing.line.allowance import circuit_of, limited
from queueing.line.failover import async_following, following, refusals_of

# The base of all errors that a caller of Redis may have to catch.
RedisError = redis.RedisError
AuthenticationError = redis.AuthenticationError  # a wrong user or password; for redis-py one of the connection
# The clients of a thread and of an event loop.
SyncRedis = redis.Redis
AsyncRedis = redis.asyncio.Redis
# In RQ_QUEUES, the address of a line that is not at REDIS_URL. `spell_out` writes it: django-rq needs some addresses in
# parts.
OWN = "OWN_URL"


def told(error: redis.RedisError) -> str:
    """The error in one line, for the log: an outage is no fault of the program, so nobody needs its traceback."""
    return f"Redis failed ({' '.join(str(error).split()) or type(error).__name__})"


def is_out_of_reach(error: redis.RedisError) -> bool:
    """True if no Redis answered: it is not there, or its address is another one."""
    answered = isinstance(error, (redis.AuthenticationError, redis.BusyLoadingError))  # both: errors of the connection
    return isinstance(error, (redis.ConnectionError, redis.TimeoutError)) and not answered


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


def own_address(queue: str) -> str:
    """The address of this line's Redis; "" for a line at REDIS_URL, and for what is of no line."""
    return str(settings.RQ_QUEUES.get(queue, {}).get(OWN, "")) if queue else ""


def connection(queue: str = "") -> redis.Redis:
    """This process's client of a line's Redis; without a line, of that of REDIS_URL."""
    return connection_to(own_address(queue))


@cache
def connection_to(own: str) -> redis.Redis:
    """The client of an own address: short timeouts, one retry; in a web request, the allowance of that request."""
    client = _client(own, _timeouts() | _one_retry() | _short_greeting())
    kind = limited(client.connection_pool.connection_class, circuit_of(own))
    client.connection_pool.connection_class = following(kind, own)
    return client


def patient_for(seconds: float, queue: str = "") -> redis.Redis:
    """A client of this process that waits no longer than this for an answer, and does not ask twice."""
    return _patient_client(seconds, own_address(queue))


@cache
def _patient_client(seconds: float, own: str) -> redis.Redis:
    return _client(own, _timeouts() | {"socket_timeout": seconds, "retry": Retry(NoBackoff(), retries=0)})


_pools: WeakSet[redis.ConnectionPool] = WeakSet()  # of all clients of this process, also of those that were replaced


def _client(own: str, options: dict[str, Any]) -> redis.Redis:
    pool = redis.ConnectionPool(**options | address.options(own or site.REDIS_URL))
    _pools.add(pool)
    return redis.Redis.from_pool(pool)


def share_connection(client: redis.Redis, queue: str = "") -> None:
    """In a new horse: make its worker's client that of its line, with the options of `connection`.

    Each further connection would cost a start more than a millisecond.
    """
    client.connection_pool.connection_kwargs.update(_timeouts() | _one_retry() | _short_greeting())
    _pools.add(client.connection_pool)
    connection(queue).connection_pool = client.connection_pool


def async_connection(own: str = "") -> AsyncRedis:
    """A new client for the running event loop, of an own address.

    It waits for a free connection instead of failing at the 101st.

    A command is sent again on a dead connection, as after a restart of Redis. A Redis that hangs is not asked again.
    """
    again = redis.asyncio.retry.Retry(NoBackoff(), retries=1, supported_errors=(redis.ConnectionError,))
    options = _timeouts() | {"retry": again} | address.async_options(own or site.REDIS_URL)
    pool = redis.asyncio.BlockingConnectionPool(max_connections=20, timeout=site.REDIS_TIMEOUT, **options)
    pool.connection_class = async_following(pool.connection_class, own)
    return AsyncRedis.from_pool(pool)  # so that closing the client closes the pool


def host_of_layer(host: dict[str, Any]) -> dict[str, Any]:
    """The options of the channel layer's pool, for a host that has an address. Its subscriber follows, too."""
    given = {name: value for name, value in host.items() if name != "address"}
    retry = redis.asyncio.retry.Retry(ExponentialBackoff(cap=0.1, base=0.02), retries=1)
    options = given | {"retry": retry} | address.async_options(host["address"])
    return options | {"connection_class": async_following(options["connection_class"])}


def spell_out(queues: dict[str, dict[str, Any]]) -> None:
    """In RQ_QUEUES: mark the lines with an own Redis, and say addresses of sentinels as django-rq understands them.

    A wrong address is left to the checks.
    """
    for name, queue in queues.items():
        url = str(queue.get("URL", ""))
        with suppress(address.BadAddress):
            is_own = bool(url) and not address.are_same(url, site.REDIS_URL)
            queues[name] = _spelt_out(queue, url) | ({OWN: url} if is_own else {})


def _spelt_out(queue: dict[str, Any], url: str) -> dict[str, Any]:
    if not address.is_led(url):
        return queue
    sentinels, service, database = address.sentinels_of(url)
    timeouts = {"socket_timeout": site.REDIS_TIMEOUT, "socket_connect_timeout": site.REDIS_TIMEOUT}
    return {name: value for name, value in queue.items() if name != "URL"} | {
        "SENTINELS": sentinels,
        "MASTER_NAME": service,
        "DB": database,
        "CONNECTION_KWARGS": timeouts | address.options(url),
    }


def drop_unread(*others: redis.Redis) -> None:
    """Close the idle connections of this process and of these clients, after a signal's handler has raised.

    redis-py closes a connection that is interrupted while it reads an answer. One that is interrupted a moment before
    goes back to its pool, and the next command would take that answer for its own.
    """
    for pool in {*_pools, *(other.connection_pool for other in others)}:
        pool.disconnect(inuse_connections=False)


def forget() -> None:
    """Forget the way to Redis. For a process that has no business with it."""
    for pool in list(_pools):
        for made in (*pool._available_connections, *pool._in_use_connections):  # noqa: SLF001  # there is no other way
            made.username = made.password = made.credential_provider = None
        pool.reset()
        pool.connection_kwargs.clear()
    _pools.clear()
    forget_clients()
    address.forget()


def forget_clients() -> None:
    """Make all clients anew, at the addresses of the settings. Whoever has one keeps it."""
    for made in (connection_to, _patient_client, circuit_of, refusals_of):
        made.cache_clear()
