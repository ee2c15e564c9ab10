"""Presence: who has a page open now. Three verbs: beat, close, look.

Clocks in Redis are Redis' own (TIME); what leaves here are durations in seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import redis

from queueing.conf import conf
from queueing.keys import GONE, PRESENCE, WATCH, as_list, connection, line_keys, milliseconds, script

Cause = Literal["closed", "lost"]

# A note that a running entry's page went lives longer than any task may still run.
GONE_TTL = 24 * 3600
# Close codes that a page or browser sends on its own: the visitor went. Everything else is a lost connection.
GOODBYE = frozenset({1000, 1001, 4001})


@dataclass(frozen=True, slots=True)
class Look:
    """What Redis knows of one visitor at this moment."""

    present: bool
    # Seconds since the page went and seconds it may stay away, when it said goodbye or was seen to go.
    gone_for: float | None
    grace: float
    cause: Cause
    # Nobody knows: Redis was emptied, or the web tier is away or has just come back.
    blind: bool

    @property
    def is_over(self) -> bool:
        """Gone for longer than its grace, and not for want of eyes."""
        return not self.blind and self.gone_for is not None and self.gone_for > self.grace


def beat(queue: str, job_ids: Sequence[str], ttl: float) -> list[str]:
    """These entries are present for the next `ttl` seconds; returns those who were held and are back."""
    back: list[bytes] = script(connection(), "beat")(keys=as_list(line_keys(queue)), args=beat_arguments(job_ids, ttl))
    return [job_id.decode() for job_id in back]


def beat_arguments(job_ids: Sequence[str], ttl: float) -> list[str | int]:
    return [milliseconds(ttl), "\n".join(job_ids)]


def close(queue: str, job_id: str, cause: Cause) -> None:
    """The last page of this entry is gone; it is held, or noted when it runs."""
    script(connection(), "close")(keys=as_list(line_keys(queue)), args=close_arguments(job_id, cause))


def close_arguments(job_id: str, cause: Cause) -> list[str | int]:
    return [job_id, cause, milliseconds(grace_of(cause)), milliseconds(GONE_TTL)]


def grace_of(cause: Cause) -> float:
    """Seconds a place is kept in an absence of that cause."""
    return conf.CLOSE_GRACE if cause == "closed" else conf.LOST_GRACE


def cause_of(close_code: int) -> Cause:
    """What a WebSocket's close code says of the absence that begins."""
    return "closed" if close_code in GOODBYE else "lost"


def is_present(job_id: str, client: redis.Redis | None = None) -> bool:
    """Whether a page is open now. Raises redis.RedisError when Redis does not answer."""
    return bool((client or connection()).exists(PRESENCE.format(job_id=job_id)))


def look(job_id: str) -> Look:
    """All that Redis knows of a running entry's visitor, in one round trip."""
    with connection().pipeline(transaction=False) as pipe:
        pipe.time()
        pipe.mget(PRESENCE.format(job_id=job_id), GONE.format(job_id=job_id), WATCH)
        (seconds, micros), (present, gone, since) = pipe.execute()
    now = seconds * 1000 + micros // 1000
    blind = since is None or now - int(since) < milliseconds(conf.LOST_GRACE)
    if present or gone is None:
        return Look(bool(present), None, conf.LOST_GRACE, "lost", blind)
    at, grace, cause = gone.decode().split(":")
    return Look(False, (now - int(at)) / 1000, int(grace) / 1000, cause, blind)


def note_gone(job_id: str, keep_seconds: float | None) -> None:
    """The key of a running entry ran out without a goodbye: its absence begins now, unless it had begun."""
    client = connection()
    seconds, micros = client.time()
    grace = max(conf.LOST_GRACE, keep_seconds or 0)
    note = f"{seconds * 1000 + micros // 1000}:{milliseconds(grace)}:lost"
    client.set(GONE.format(job_id=job_id), note, nx=True, ex=GONE_TTL)
