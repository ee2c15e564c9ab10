"""The Lua scripts as typed functions. Each is one atomic step of Redis.

A script is lua/<verb>.lua, with lua/common.lua in front. Its header lists ARGV and the return; KEYS are the line's keys
in the order of LineKeys. Durations are seconds here and milliseconds in the scripts.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import redis
from redis.exceptions import NoScriptError

from queueing.line.clients import AsyncRedis
from queueing.line.keys import WATCH, LineKeys
from queueing.states import Absence

FOLDER = Path(__file__).parent / "lua"


class Claimed(NamedTuple):
    """The result of one call of the claim script."""

    job_id: str  # "" when the whole window was absent, or when the claim waits
    passed: int  # absent entries that stepped aside
    has_epoch: bool  # False: since a flush no keeper has given the rows their places back
    newcomers_wait: bool  # those who joined since a flush wait for somebody ahead of them who is away
    obstacle: str = ""  # "unknown": there is no copy of the levers; "limit": a limit of the levers is reached
    job: Mapping[bytes, bytes] | None = None  # the hash of the claimed entry's job; None: it cannot be read


class HoldStep(NamedTuple):
    """The result of one call of the hold script."""

    seen: int  # ids looked at; 0 at the end of the line
    held: int  # ids that are held now, among those looked at


class Ranked(NamedTuple):
    """An entry with the score that sorts it."""

    job_id: str
    score: float


class Order(NamedTuple):
    """One window of the line."""

    ids: list[str]  # in the line, in order
    held_scores: list[float]  # of the held entries, in order


def beat(client: redis.Redis, line: LineKeys, job_ids: Iterable[str], ttl: float) -> list[str]:
    """Renew the presence of at most 1,000 entries for `ttl` seconds; returns the ids that were held and are back."""
    return _texts(_call(client, "beat", line, milliseconds(ttl), "\n".join(job_ids)))


async def beat_async(client: AsyncRedis, line: LineKeys, batches: Iterable[Iterable[str]], ttl: float) -> None:
    """As `beat`, for any number of batches in one round trip.

    A batch of its own round trip each would take a turn of the event loop each, and those are long in a crowd.
    """
    source, keys = _source("beat"), line.in_order()
    texts = ["\n".join(job_ids) for job_ids in batches]
    try:
        async with client.pipeline(transaction=False) as pipe:
            for text in texts:
                pipe.evalsha(source.sha, len(keys), *keys, milliseconds(ttl), text)
            await pipe.execute()
    except NoScriptError:
        for text in texts:
            await _call_async(client, "beat", line, milliseconds(ttl), text)


def close(client: redis.Redis, line: LineKeys, job_id: str, absence: Absence, *, grace: float, gone_ttl: float) -> None:
    """End the presence of an entry: hold a waiting one for `grace` seconds; note the moment for a running one."""
    _call(client, "close", line, job_id, absence.value, milliseconds(grace), milliseconds(gone_ttl))


async def close_async(
    client: AsyncRedis, line: LineKeys, job_id: str, absence: Absence, *, grace: float, gone_ttl: float
) -> None:
    """As `close`."""
    await _call_async(client, "close", line, job_id, absence.value, milliseconds(grace), milliseconds(gone_ttl))


def claim(
    client: redis.Redis, line: LineKeys, worker: str, *, window: int, grace: float, waits_for_epoch: bool
) -> Claimed | None:
    """Claim the first present entry of the first `window` ids for this worker; absent entries before it are held.

    With `waits_for_epoch`, only foreign jobs are claimed while there is no epoch. None when the line is empty or
    paused, or the workers are suspended.
    """
    arguments = worker, window, milliseconds(grace), int(waits_for_epoch)
    reply = cast("list[Any]", _call(client, "claim", line, *arguments))
    if not reply:
        return None
    job_id, passed, epoch, obstacle, parts = (*reply, b"", [])[:5] if len(reply) == 3 else (*reply, [])[:5]
    job = dict(zip(parts[::2], parts[1::2], strict=True)) if len(parts) % 2 == 0 else None
    return Claimed(as_text(job_id), passed, epoch > 0, epoch > 1, as_text(obstacle), job)


def release(client: redis.Redis, line: LineKeys, worker: str, job_id: str, score: float | None, grace: float) -> str:
    """Give a claim (with worker "": an orphan) back to its place: "line", "held", or "" (not this worker's claim)."""
    score_text = "" if score is None else score
    return cast("bytes", _call(client, "release", line, worker, job_id, score_text, milliseconds(grace))).decode()


def end_claim(client: redis.Redis, line: LineKeys, worker: str, job_id: str, started: str) -> None:
    """End this worker's claim and the entry's place. `started` is the timeline's text about the start."""
    _call(client, "end_claim", line, worker, job_id, started)


def end_stale_claim(client: redis.Redis, line: LineKeys, worker: str, job_id: str) -> None:
    """End this claim, but not a later claim of the same worker."""
    _call(client, "end_stale_claim", line, worker, job_id)


def restore(client: redis.Redis, line: LineKeys, places: Sequence[Ranked]) -> list[str]:
    """Give these entries (job id, score) their place back; returns the ids that had no place. At most 1,000."""
    arguments = [value for job_id, score in places for value in (score, job_id)]
    return _texts(_call(client, "restore", line, *arguments)) if arguments else []


def hold(
    client: redis.Redis, line: LineKeys, *, first: int, window: int, grace: float, longest_presence: float = 0.0
) -> HoldStep:
    """Hold the absent entries of one window, from rank `first`. The next window begins at first + seen - held.

    With `longest_presence`, entries whose presence would live for more seconds count as absent, and lose it.
    """
    arguments = first, window, milliseconds(grace), milliseconds(longest_presence)
    return HoldStep(*_call(client, "hold", line, *arguments))


def drop(
    client: redis.Redis, line: LineKeys, *, least_watch: float, window: int, watch_life: float = 0.0
) -> list[tuple[str, Absence]]:
    """Take the places of up to `window` held or unseen entries whose deadline has passed; returns (id, absence).

    Returns nothing until web processes have been watching for `least_watch` seconds: before, nobody may be dropped.
    With `watch_life`, the seconds that the watch lives after a beat, a deadline that has passed since the last beat
    does not count yet.
    """
    reply = _call(client, "drop", line, milliseconds(least_watch), window, milliseconds(watch_life), extra_keys=[WATCH])
    if reply == [b"blind"]:
        return []
    texts = _texts(reply)
    return [(job_id, as_absence(name)) for job_id, name in zip(texts[::2], texts[1::2], strict=True)]


def steer(
    client: redis.Redis, line: LineKeys, before: bytes, after: bytes, running: Sequence[str], lost_starts: int
) -> bool:
    """Replace the copy of the levers. False: it was not `before` any more. See `levers.publish`."""
    return bool(_call(client, "steer", line, before, after, lost_starts, *running))


def count_running(client: redis.Redis, line: LineKeys, over: Mapping[str, bytes], running: Iterable[str]) -> None:
    """Make the running entries those of the rows. `over` has the others, with the scores that the caller has seen."""
    pairs = [part for pair in over.items() for part in pair]
    _call(client, "count_running", line, len(over), *pairs, *running)


def begin_epoch(client: redis.Redis, line: LineKeys, server: str) -> bool:
    """Begin an epoch of the line. False: Redis was emptied since the keeper began to restore the places."""
    return bool(_call(client, "begin_epoch", line, server))


def reserve(client: redis.Redis, line: LineKeys, *arguments: Any, extra_keys: Sequence[str]) -> list[Any]:
    """The reply of the reserve script; `reserving.py` knows what it means."""
    return cast("list[Any]", _call(client, "reserve", line, *arguments, extra_keys=extra_keys))


def cancel(
    client: redis.Redis, line: LineKeys, job_id: str, token: str, interval: float, *, extra_keys: Sequence[str]
) -> None:
    """Give a reserved place back; with an interval (in ms) also what the join has cost. See `reserving.cancel`."""
    _call(client, "cancel", line, job_id, token, interval, extra_keys=extra_keys)


def place(
    client: redis.Redis,
    line: LineKeys,
    place: Ranked,
    job: Mapping[str, Any],
    unseen_ttl: float | None,
    own_keys: Sequence[str],
    from_ttl: float = 0,
) -> str:
    """Give an entry its job and its place: "line", "unseen", or "" (the entry had a place).

    Unless its owner has looked already, the entry is unseen, and over after `unseen_ttl` seconds. With None the entry
    is in the line, with a presence without end. Its own keys are those of STORING, which goes, and of FROM, if it has
    an address: an unseen entry counts there, for `from_ttl` seconds.
    """
    mode, ttl = ("present", 0) if unseen_ttl is None else ("unseen", milliseconds(unseen_ttl))
    fields = [part for pair in job.items() for part in pair]
    arguments = (*place, mode, ttl, line.inbox, milliseconds(from_ttl), *fields)
    reply = _call(client, "place", line, *arguments, extra_keys=own_keys)
    return cast("bytes", reply).decode()


async def ranks(client: AsyncRedis, line: LineKeys, entries: Sequence[Ranked]) -> list[tuple[int, int] | None]:
    """Of each of at most 500 entries, the numbers of present and held entries ahead; None if it is not in the line."""
    ids = "\n".join(job_id for job_id, _ in entries)
    reply = await _call_async(client, "ranks", line, ids, "\n".join(str(score) for _, score in entries))
    places = [text.partition(b" ") for text in cast("bytes", reply).split(b"\n")]
    return [(int(ahead), int(held_ahead)) if ahead else None for ahead, _, held_ahead in places]


async def order(client: AsyncRedis, line: LineKeys, *, first: int, window: int) -> Order:
    """One window of the whole line, from rank `first`."""
    ids, scores = cast("list[bytes]", await _call_async(client, "order", line, first, window))
    return Order(as_text(ids).split("\n") if ids else [], [float(score) for score in scores.split()])


def as_absence(name: str) -> Absence:
    """The absence of that name; any other text counts as a lost connection."""
    return Absence(name) if name in Absence else Absence.LOST


def milliseconds(seconds: float) -> int:
    """A duration in the unit of the scripts and of Redis' PX options."""
    return round(seconds * 1000)


class Source(NamedTuple):
    """The text of a script, and its name in Redis."""

    text: str
    sha: str  # the name under which Redis keeps the script


@cache
def _source(verb: str) -> Source:
    text = (FOLDER / "common.lua").read_text() + (FOLDER / f"{verb}.lua").read_text()
    return Source(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


def _call(client: redis.Redis, verb: str, line: LineKeys, *arguments: Any, extra_keys: Sequence[str] = ()) -> Any:
    """Run a script by its name; by its text when Redis has forgotten the name."""
    source, keys = _source(verb), [*line.in_order(), *extra_keys]
    try:
        return client.evalsha(source.sha, len(keys), *keys, *arguments)
    except NoScriptError:
        return client.eval(source.text, len(keys), *keys, *arguments)


async def _call_async(client: AsyncRedis, verb: str, line: LineKeys, *arguments: Any) -> Any:
    source, keys = _source(verb), line.in_order()
    try:
        return await client.evalsha(source.sha, len(keys), *keys, *arguments)
    except NoScriptError:
        return await client.eval(source.text, len(keys), *keys, *arguments)


def as_text(value: bytes) -> str:
    """A text from Redis. What is not UTF-8 was not written by this project, and is nobody's id or name."""
    return value.decode(errors="replace")


def _texts(values: Iterable[bytes]) -> list[str]:
    return [as_text(value) for value in values]
