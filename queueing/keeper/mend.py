"""Mending Redis: keys of a type or with a value that this project never writes there, and that would stop a line.

They come from another program or a person. Each is deleted, and made again by those who write it: places from the rows,
presence and workers by their next beat.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import redis
from django.conf import settings

from queueing.line import epoch
from queueing.line.clients import raise_all_but_wrong_types
from queueing.line.keys import (
    COUNTING,
    FAULTS,
    KEEPER,
    STORED,
    SUMMING,
    WATCH,
    WRITABLE,
    brake_key,
    facts_key,
    joins_key,
    line_keys,
)
from queueing.line.tampering import reports, shorten

# The types of RQ's keys of one queue, and of all.
QUEUE_TYPES = {
    "rq:workers:{}": "set",
    "rq:wip:{}": "zset",
    "rq:failed:{}": "zset",
    "rq:finished:{}": "zset",
    "rq:deferred:{}": "zset",
    "rq:scheduled:{}": "zset",
    "rq:canceled:{}": "zset",
    "rq:ready:{}": "zset",
}
SHARED_TYPES = {
    "rq:queues": "set",
    "rq:workers": "set",
    KEEPER: "string",
    WATCH: "string",
    COUNTING: "string",
    WRITABLE: "string",
    STORED: "string",
    SUMMING: "string",
    FAULTS: "list",
}
# The types of a line's own keys, by their names in LineKeys.
LINE_TYPES = {
    "line": "zset",
    "held": "zset",
    "due": "zset",
    "absence": "hash",
    "grace": "hash",
    "claims": "hash",
    "version": "string",
    "wake": "list",
    "notes": "list",
    "foreign": "set",
    "inbox": "list",
    "unseen": "zset",
    "epoch": "string",
    "restoring": "string",
    "reserved": "zset",
    "newest": "string",
    "levers": "string",
    "running": "zset",
    "starts": "zset",
}
LONGEST_STRING = 256 * 1024  # bytes; the facts are the longest, with a few thousand
WORKER = "rq:worker:"
NO_END = -1  # PTTL's answer


def mend(client: redis.Redis, queues: Sequence[str] | None = None) -> int:
    """Delete the keys that nobody here has written so, at the server of these lines, or of all; returns how many."""
    queues = list(settings.QUEUEING_TASKS) if queues is None else queues
    mended = len(_delete_others(client, SHARED_TYPES))
    mended += sum(_mend_line(client, queue) for queue in queues)
    return mended + _mend_workers(client, queues) + _mend_numbers(client, queues) + _end_endless(client, queues)


def _mend_line(client: redis.Redis, queue: str) -> int:
    keys = line_keys(queue)
    types = {getattr(keys, name): kind for name, kind in LINE_TYPES.items()}
    types |= {name.format(queue): kind for name, kind in QUEUE_TYPES.items()} | dict.fromkeys(
        (facts_key(queue), joins_key(queue), brake_key(queue)), "string"
    )
    deleted = _delete_others(client, types)
    if set(deleted) & set(keys.in_order()):
        has_copy = epoch.is_of_another_server(client, queue)
        epoch.begin_restoring(client, queue, is_other_server=has_copy)  # claims wait for the places
    return len(deleted)


def _delete_others(client: redis.Redis, types: Mapping[str, str]) -> list[str]:
    """Delete those of the keys that are of another type, and strings that are too long to be read each second."""
    with client.pipeline(transaction=False) as pipe:
        for key in types:
            pipe.type(key)
            pipe.strlen(key)
        replies = pipe.execute(raise_on_error=False)
    raise_all_but_wrong_types(replies)
    others = [
        key
        for key, kind, length in zip(types, replies[::2], replies[1::2], strict=True)
        if kind.decode() not in {types[key], "none"} or (types[key] == "string" and length > LONGEST_STRING)
    ]
    _delete(client, others, "is of another type, or too long")
    return others


def _mend_workers(client: redis.Redis, queues: Sequence[str]) -> int:
    """RQ's list of workers names hashes. What cannot be one is taken from the list; a living worker comes back."""
    members = cast("set[bytes]", client.smembers("rq:workers"))
    names = {member: member.decode(errors="replace") for member in members}
    strange = [member for member, name in names.items() if not name.startswith(WORKER) or "\ufffd" in name]
    if strange:
        for key in ("rq:workers", *(f"rq:workers:{queue}" for queue in queues)):
            client.srem(key, *strange)
        reports.add("the worker %s is none", shorten(strange[0]))
    types = {name: "hash" for member, name in names.items() if member not in strange}
    return len(strange) + len(_delete_others(client, types))


def _mend_numbers(client: redis.Redis, queues: Sequence[str]) -> int:
    """Counters and clocks must be numbers, and a watch must not begin later than now."""
    numbers = [key for queue in queues for key in (line_keys(queue).version, joins_key(queue))]
    seconds, _ = client.time()
    values = dict(zip([*numbers, WATCH], cast("list[bytes | None]", client.mget(*numbers, WATCH)), strict=True))
    strange = [key for key, value in values.items() if value is not None and not _is_number(value)]
    watch = values[WATCH]
    if watch is not None and _is_number(watch) and int(watch) > (seconds + 1) * 1000:
        strange.append(WATCH)
    _delete(client, strange, "is no number")
    return len(strange)


def _end_endless(client: redis.Redis, queues: Sequence[str]) -> int:
    """These keys have an end. Without one, a line would ask for a check for ever, or keep old sums."""
    keys = [STORED, SUMMING, *(key(queue) for queue in queues for key in (joins_key, brake_key))]
    with client.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.pttl(key)
        endless = [key for key, life in zip(keys, pipe.execute(), strict=True) if life == NO_END]
    _delete(client, endless, "has no end")
    return len(endless)


def _is_number(value: bytes) -> bool:
    return value.isdigit() and len(value) <= 18


def _delete(client: redis.Redis, keys: Iterable[str], why: str) -> None:
    for key in keys:
        client.unlink(key)
        reports.add("the key %s %s, and was deleted", shorten(key), why)
