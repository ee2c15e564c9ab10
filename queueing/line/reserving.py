"""The limits of a join, in one round trip: the levers and the length of the line, and what one address may do.

All of it is one script, `lua/reserve.lua`: joins at the same moment see each other.
"""

import math
import secrets
from typing import Any, NamedTuple

import redis

from queueing.conf import conf
from queueing.line import levers, scripts
from queueing.line.keys import (
    STORED,
    LineKeys,
    brake_key,
    from_key,
    joins_key,
    on_time_key,
    proof_key,
    storing_key,
)
from queueing.line.levers import Levers
from queueing.line.scripts import milliseconds

RESERVATION_TTL = 60.0  # seconds; storing a large input takes less
BRAKE_TTL = 300.0  # seconds that the brake stays on after the last minute with too many joins
MINUTE = 60.0
FROM_TTL = 600.0  # seconds; see `from_ttl`
TRIES = 3  # calls of the script, if the copy of the levers is missing or none
CHECKS_PER_PROOF = 2  # one, and that of the same form sent twice at the same moment


class Reservation(NamedTuple):
    """The answer to a join."""

    refusal: str  # "", "closed", or the limit that is reached: "full", "joins" or "unseen"
    seconds: float  # until this limit is not reached any more, as far as Redis can know
    levers: Levers  # of the line
    sums: bytes | None  # of what is stored, as `budget.py` publishes them; None also where another Redis has them
    entries: int = 0  # in the line, this one and held ones too
    joins: int = 0  # of this line in this minute; 0 unless BRAKE is auto
    token: str = ""  # of this request: a form that is sent twice has two, and one job id
    under_way: tuple[str, ...] = ()  # other joins of the address that are being stored


def reserve(client: redis.Redis, queue: str, line: LineKeys, job_id: str, address: str) -> Reservation:
    """Set a place aside for an entry that is about to be stored. With job id "" only look: reserve nothing.

    `place` or `cancel` takes the reservation away; otherwise it ends after RESERVATION_TTL and the time of a check.
    Raises RedisError, also when Redis takes no writes; after a flush also errors of the database, see `levers.py`.
    """
    token = secrets.token_hex(8)
    for _ in range(TRIES):
        refusal, *more = _ask(client, queue, line, job_id, token, address)
        if more and (found := levers.parse(more[1])):
            break
        if more and not refusal and job_id:  # by a copy of the levers that this project never writes
            cancel(client, queue, line, job_id, token, address, is_charged=False)
        levers.publish(client, queue)
    else:
        raise redis.RedisError(f"{queue}: the levers do not stay as they are written")
    ms, _, sums, *counted = more
    if refusal:
        return Reservation(refusal.decode(), ms / 1000, found, sums)
    entries, joins, *under_way = counted
    return Reservation("", 0, found, sums, entries, joins, token, tuple(job_id.decode() for job_id in under_way))


def _ask(client: redis.Redis, queue: str, line: LineKeys, job_id: str, token: str, address: str) -> list[Any]:
    extra_keys = [joins_key(queue), brake_key(queue), STORED, storing_key(queue, job_id)]
    if address:
        extra_keys += [from_key(queue, address), on_time_key(address)]
    return scripts.reserve(
        client,
        line,
        job_id,
        token,
        conf.MAX_LINE,
        conf.HELD_WEIGHT,
        milliseconds(RESERVATION_TTL + 2 * conf.CHECK_SECONDS),
        conf.BRAKE_JOINS if conf.BRAKE == "auto" else 0,
        milliseconds(BRAKE_TTL),
        _interval(),
        conf.ADDRESS_BURST,
        conf.ADDRESS_UNSEEN,
        milliseconds(from_ttl()),
        extra_keys=extra_keys,
    )


def from_ttl() -> float:
    """Seconds that the unseen places of an address are counted: longer than any of them lives."""
    return max(FROM_TTL, 2 * conf.CLOSE_GRACE, 2 * RESERVATION_TTL)


def cancel(
    client: redis.Redis, queue: str, line: LineKeys, job_id: str, token: str, address: str, *, is_charged: bool
) -> None:
    """Take the reservation of one request away: it has stored nothing. Unless `is_charged`, it counts for nothing.

    While another request with this job id is storing, the place stays reserved.
    """
    extra_keys = [joins_key(queue), storing_key(queue, job_id)]
    if address:
        extra_keys += [from_key(queue, address), on_time_key(address)]
    scripts.cancel(client, line, job_id, token, 0 if is_charged else _interval(), extra_keys=extra_keys)


def may_check(client: redis.Redis, code: str, life: float) -> bool:
    """True if this code of a proof of work has a check left; then it has one fewer. The count lives for `life`."""
    with client.pipeline() as pipe:
        pipe.incr(proof_key(code))
        pipe.expire(proof_key(code), math.ceil(life), nx=True)
        return int(pipe.execute()[0]) <= CHECKS_PER_PROOF


def use_up(client: redis.Redis, code: str) -> None:
    """A check that this code paid for has refused its file: the code has none left."""
    client.incrby(proof_key(code), CHECKS_PER_PROOF)


def _interval() -> float:
    """Milliseconds between two joins of an address."""
    return 1000 * MINUTE / conf.ADDRESS_RATE


def is_brake_on(client: redis.Redis, queue: str) -> bool:
    """True while the joins of this line in a minute are, or were lately, BRAKE_JOINS or more."""
    return bool(client.exists(brake_key(queue)))
