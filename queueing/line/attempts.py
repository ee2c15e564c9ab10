"""Attempts to sign in, counted in Redis so that all web processes share the counts. They forget by themselves."""

from collections.abc import Iterable

import redis
from redis.client import Pipeline

from queueing.conf import conf
from queueing.line.clients import connection
from queueing.line.keys import ATTEMPTS, KNOWN
from queueing.line.scripts import milliseconds
from queueing.line.tampering import reports, shorten

KNOWN_TTL = 30 * 24 * 3600  # seconds


def count(digest: str) -> int:
    """Count one attempt; return how many there have been since the first one of this SIGN_IN_PAUSE. Raises RedisError.

    An attempt is counted before its password is looked at: many at the same time must not all pass.
    """
    try:
        return _count(digest)
    except redis.ResponseError as error:
        # A pipeline puts the command in front of the server's words.
        if "WRONGTYPE" not in str(error) and "not an integer" not in str(error):
            raise
    # Another program's value would keep this name out for as long as the key lives.
    key = ATTEMPTS.format(digest=digest)
    connection().delete(key)
    reports.add("the key %s is no number, and was deleted", shorten(key))
    return _count(digest)


def seconds_left(digest: str) -> float:
    """Seconds until these attempts are forgotten; at least 1. Raises RedisError."""
    return max(1000, int(connection().pttl(ATTEMPTS.format(digest=digest)))) / 1000


def take_back(digests: Iterable[str]) -> None:
    """An attempt does not count after all. Raises RedisError."""
    with connection().pipeline() as pipeline:
        for digest in digests:
            _start(digest, pipeline)  # a count that ran out meanwhile must not stay for ever, as -1
            pipeline.decr(ATTEMPTS.format(digest=digest))
        pipeline.execute()


def remember(digest: str) -> None:
    """This name has signed in from this address. Raises RedisError."""
    connection().set(KNOWN.format(digest=digest), 1, ex=KNOWN_TTL)


def is_known(digest: str) -> bool:
    """True if this name has signed in from this address before. Raises RedisError."""
    return bool(connection().exists(KNOWN.format(digest=digest)))


def _count(digest: str) -> int:
    key = ATTEMPTS.format(digest=digest)
    with connection().pipeline() as pipeline:
        _start(digest, pipeline)
        pipeline.incr(key)
        pipeline.pttl(key)
        *_, attempts, life = pipeline.execute()
    if life < 0:  # another program's, too: the count would never be forgotten
        connection().pexpire(key, milliseconds(conf.SIGN_IN_PAUSE))
    return int(attempts)


def _start(digest: str, pipeline: Pipeline) -> None:
    pipeline.set(ATTEMPTS.format(digest=digest), 0, px=milliseconds(conf.SIGN_IN_PAUSE), nx=True)
