"""Signs of life: of the keeper, and of a Redis that takes writes."""

import redis

from queueing.conf import conf
from queueing.line.clients import connection
from queueing.line.desks import desks
from queueing.line.keys import KEEPER, WRITABLE
from queueing.line.scripts import milliseconds


def answers(client: redis.Redis) -> bool:
    """True if Redis gives an answer, whatever it is."""
    try:
        client.ping()
    except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
        return False
    except redis.RedisError:
        return True
    return True


def note_round(client: redis.Redis) -> None:
    """The keeper has made a round: it counts as alive for five rounds."""
    client.set(KEEPER, 1, px=milliseconds(max(5 * conf.KEEPER_INTERVAL, 5)))


def is_keeper_alive() -> bool:
    """True if a keeper made a round lately. Raises RedisError."""
    return bool(connection().exists(KEEPER))


def has_worker(host: str) -> bool:
    """True if a worker of this host has said lately that it is there. Raises RedisError."""
    return any(desk.host == host for desk in desks())


def takes_writes(client: redis.Redis) -> bool:
    """True if Redis takes a write. Raises RedisError: a Redis that is full, or a replica, answers and is of no use."""
    return bool(client.set(WRITABLE, 1, px=1000))
