"""The names of our Redis keys, the connections, and the scripts.

RQ's own keys (job hashes, registries, workers, and its list `rq:queue:<q>`, which is our inbox) stay as they are.
"""

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import redis
import redis.asyncio
from django.conf import settings
from redis.backoff import ExponentialBackoff
from redis.commands.core import AsyncScript, Script
from redis.retry import Retry

# What every caller of Redis may have to catch.
RedisError = redis.RedisError

# string "1": a page of this entry is open now. Lives PRESENCE_TTL, POLL_TTL, or without end (nobody has to be there).
PRESENCE = "presence:{job_id}"
# string "<ms>:<grace ms>:<cause>": the page of a running entry went at that moment. Lives GONE_TTL.
GONE = "gone:{job_id}"
# string "<ms since the watch began>": web processes are beating. Lives three beats.
WATCH = "presence:watch"
# string "1": the keeper made a round. Lives a few rounds.
KEEPER = "queueing:keeper"


@dataclass(frozen=True, slots=True)
class LineKeys:
    """The keys of one line, in the order in which every script takes them."""

    line: str  # zset id -> score: who waits and was present when last seen
    held: str  # zset id -> score: who is absent and keeps the place
    due: str  # zset id -> ms: when a held place is dropped
    cause: str  # hash id -> "closed": the page of that held entry said goodbye; of the others the connection was lost
    grace: str  # hash id -> ms: a longer hold that the visitor asked for
    claims: str  # hash worker -> "<id>:<score>:<ms>": handed out and not started yet
    version: str  # counter: moves whenever anybody's numbers may have changed
    wake: str  # capped list: idle workers block on it
    moves: str  # capped list of "<ms>:<kind>:<detail>:<id> <id> ...": for the timelines, drained by the keeper
    foreign: str  # set of ids: those in line, held or claimed that stock RQ pushed and that have no row
    inbox: str  # RQ's own list: where stock RQ pushes


def line_keys(queue: str) -> LineKeys:
    names = [field.name for field in fields(LineKeys)]
    prefix = f"rq:line:{queue}"
    own = {name: f"{prefix}:{name}" for name in names}
    return LineKeys(**own | {"line": prefix, "inbox": f"rq:queue:{queue}"})


def as_list(keys: LineKeys) -> list[str]:
    return [getattr(keys, field.name) for field in fields(LineKeys)]


def facts_key(queue: str) -> str:
    """string, JSON: workers and run times of a queue, written by the keeper for those who tell the wait."""
    return f"rq:line:{queue}:facts"


def _options() -> dict[str, Any]:
    """redis-py retries 0 or 10 times depending on how a client is made; here it is the same for all."""
    return {
        "socket_timeout": settings.REDIS_TIMEOUT,
        "socket_connect_timeout": settings.REDIS_TIMEOUT,
        "health_check_interval": 30,
    }


@cache
def connection() -> redis.Redis:
    """This process's client, for views, services and the keeper: short timeouts, one retry."""
    return redis.Redis.from_url(settings.REDIS_URL, **_options() | _retry())


def share_connection(client: redis.Redis) -> None:
    """In a new horse: its worker's client becomes its only one, with the options of `connection`.

    Each further connection would cost a start more than a millisecond, and so would telling Redis the name and version
    of the driver.
    """
    client.connection_pool.connection_kwargs.update(_options() | _retry() | {"driver_info": None})
    connection().connection_pool = client.connection_pool


def _retry() -> dict[str, Any]:
    return {"retry": Retry(ExponentialBackoff(cap=0.1, base=0.02), retries=1)}


def async_connection() -> redis.asyncio.Redis:
    """A new client for the running event loop. It waits for a free connection instead of failing at the 101st."""
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        settings.REDIS_URL, max_connections=20, timeout=settings.REDIS_TIMEOUT, **_options()
    )
    return redis.asyncio.Redis.from_pool(pool)  # so that closing the client closes the pool


def milliseconds(seconds: float) -> int:
    """As the scripts take durations."""
    return round(seconds * 1000)


@cache
def _source(verb: str) -> str:
    return (Path(__file__).parent / "lua" / f"{verb}.lua").read_text()


def script(client: redis.Redis, verb: str) -> Script:
    """The script of that verb; loaded again by itself when Redis has forgotten it."""
    return client.register_script(_source(verb))


def async_script(client: redis.asyncio.Redis, verb: str) -> AsyncScript:
    return client.register_script(_source(verb))
