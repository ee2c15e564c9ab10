"""Presence: the visitors that have a page open now. Three verbs: beat, close, inspect.

Clocks in Redis are Redis' own (TIME). Durations that leave this module are seconds.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import redis

from queueing.conf import conf
from queueing.line import scripts
from queueing.line.clients import AsyncRedis, connection
from queueing.line.keys import RETURNED, RETURNING, WATCH, gone_key, line_keys, presence_key
from queueing.line.scripts import milliseconds
from queueing.states import Absence

# Seconds that the note on a running entry whose page went is kept: longer than any task may still run.
GONE_TTL = 24 * 3600
RETURNED_TTL = 300.0  # seconds
# The close code by which a page says goodbye. Every other end is a lost connection: browsers send 1001 also for a tab
# that the system has killed.
GOODBYE = 4001
# Seconds for which code may say at once that somebody is there: see `joining.look`.
LONGEST_LOOK = 120.0
NO_KEY = -2  # PTTL's answer; -1 is a presence without end
# A moment in milliseconds, as the beat script and `keep_watch` write it.
SINCE = re.compile(rb"\d{1,15}")
# The moment at which the page of a running entry went, as the close script and `inspect` write it.
NOTE = re.compile(rb"(\d{1,15}):(\d{1,15}):([a-z]+)")


@dataclass(frozen=True, slots=True)
class Inspection:
    """The presence or absence of one visitor at this moment, as Redis knows it."""

    present: bool
    # Seconds since the page went, if it said goodbye or was seen to go; and the seconds that the visitor may stay away.
    gone_for: float | None
    grace: float
    absence: Absence
    # True when nobody can know: Redis was emptied, or the web processes are away or have just come back.
    blind: bool

    @property
    def is_over(self) -> bool:
        """True if the visitor has been absent for longer than the grace, and somebody was watching."""
        return not self.blind and self.gone_for is not None and self.gone_for > self.grace


def beat(queue: str, job_ids: Iterable[str], ttl: float) -> list[str]:
    """Renew the presence of these entries for `ttl` seconds; returns the ids that were held and are back."""
    return scripts.beat(connection(queue), line_keys(queue), job_ids, ttl)


async def beat_async(client: AsyncRedis, queue: str, batches: Iterable[Iterable[str]]) -> None:
    """Renew the presence of these entries, each with an open page, for PRESENCE_TTL. At most 1,000 in each batch."""
    await scripts.beat_async(client, line_keys(queue), batches, conf.PRESENCE_TTL)


def close(queue: str, job_id: str, absence: Absence) -> None:
    """End the presence of an entry whose last page has gone: hold a waiting one; note the moment for a running one."""
    scripts.close(connection(queue), line_keys(queue), job_id, absence, grace=grace_of(absence), gone_ttl=GONE_TTL)


async def close_async(client: AsyncRedis, queue: str, job_id: str, absence: Absence) -> None:
    """As `close`."""
    grace = grace_of(absence)
    await scripts.close_async(client, line_keys(queue), job_id, absence, grace=grace, gone_ttl=GONE_TTL)


def grace_of(absence: Absence) -> float:
    """Seconds that a place is kept in an absence of that kind."""
    return conf.LOST_GRACE if absence == Absence.LOST else conf.CLOSE_GRACE


def absence_of(close_code: int) -> Absence:
    """The kind of the absence that begins with this close code of a WebSocket."""
    return Absence.CLOSED if close_code == GOODBYE else Absence.LOST


def is_present(queue: str, job_id: str) -> bool:
    """True if a page is open now. Raises RedisError when Redis does not answer."""
    client = connection(queue)
    return _is_open(client, job_id, client.pttl(presence_key(job_id)))


def present_for(queue: str, job_id: str) -> float:
    """Seconds that a page has been open without a gap; 0 for an absent visitor. Raises RedisError."""
    with connection(queue).pipeline(transaction=False) as pipe:
        pipe.get(presence_key(job_id))
        pipe.time()
        since, (seconds, micros) = pipe.execute()
    return seconds_since(since, seconds + micros / 1e6)


def seconds_since(since: bytes | None, now: float) -> float:
    """Seconds since the moment in a presence key; 0 without one, and for a text that is none of ours."""
    return max(0.0, now - int(since) / 1000) if since and SINCE.fullmatch(since) else 0.0


def inspect(queue: str, job_id: str, keep_seconds: float | None, client: redis.Redis | None = None) -> Inspection:
    """The inspection of a running entry's visitor.

    If the presence key ran out without a goodbye, the absence begins now: this call notes the moment, and the place is
    kept for LOST_GRACE, or for `keep_seconds` if the visitor asked for more. Raises RedisError.
    """
    client = client or connection(queue)
    with client.pipeline(transaction=False) as pipe:
        pipe.time()
        pipe.pttl(presence_key(job_id))
        pipe.mget(gone_key(job_id), WATCH)
        (seconds, micros), ttl, (gone, since) = pipe.execute()
    present = _is_open(client, job_id, ttl)
    now = seconds * 1000 + micros // 1000
    blind = since is None or not SINCE.fullmatch(since) or now - int(since) < milliseconds(conf.LOST_GRACE)
    if not present and gone is None and not blind:
        grace = milliseconds(max(conf.LOST_GRACE, keep_seconds or 0))
        client.set(gone_key(job_id), f"{now}:{grace}:{Absence.LOST}", nx=True, ex=GONE_TTL)
    noted = NOTE.fullmatch(gone or b"")
    if present or noted is None:
        return Inspection(present, None, conf.LOST_GRACE, Absence.LOST, blind)
    at, may_stay, name = noted.groups()
    absence = scripts.as_absence(name.decode())
    return Inspection(False, (now - int(at)) / 1000, int(may_stay) / 1000, absence, blind)


def _is_open(client: redis.Redis, job_id: str, ttl: int) -> bool:
    """True if a presence key with `ttl` milliseconds left says that a page is open; negative as in PTTL.

    A key that would live for longer than any beat lasts is a relic: the server's clock was put back. It is deleted; a
    page that is open beats again within seconds.
    """
    if ttl > milliseconds(longest_presence()):
        client.delete(presence_key(job_id))
        return False
    return ttl != NO_KEY


def longest_presence() -> float:
    """Seconds that no presence with an end can live: see `_is_open`."""
    return max(2 * conf.PRESENCE_TTL, 2 * conf.POLL_TTL, LONGEST_LOOK)


def watch_life() -> float:
    """Seconds that the watch lives after a beat."""
    return 3 * conf.HEARTBEAT_INTERVAL


async def is_watched(client: AsyncRedis) -> bool:
    """False after a flush, and when no web process has been beating."""
    return bool(await client.exists(WATCH))


async def begin_watch(client: AsyncRedis) -> None:
    """A web process has started. The one before it may have been killed, and its pages are on their way to this one.

    Once in a while only: one that starts again and again must not keep the absent in the line.
    """
    if await client.set(RETURNED, "1", px=milliseconds(RETURNED_TTL), nx=True):
        await client.set(RETURNING, "1", px=milliseconds(2 * conf.PRESENCE_TTL))


def are_returning(client: redis.Redis) -> bool:
    """True for twice PRESENCE_TTL after the start of a web process, once in RETURNED_TTL.

    A presence that has run out is no absence yet.
    """
    return bool(client.exists(RETURNING))


async def keep_watch(client: AsyncRedis) -> None:
    """Renew the watch: this process is beating for its pages.

    The moment in the key stays as it is while web processes keep beating, and begins anew after a gap or a flush.
    """
    life = milliseconds(watch_life())
    if not await client.pexpire(WATCH, life):
        seconds, micros = await client.time()
        await client.set(WATCH, seconds * 1000 + micros // 1000, px=life, nx=True)
