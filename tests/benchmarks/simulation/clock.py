"""The scripts of the line under a clock that the simulation moves. Their own text is not changed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from hashlib import sha1
from pathlib import Path

import redis

from queueing.line import scripts

NOW, UNTIL = "simulated:now", "simulated:until:{key}"
BEGINNING = 1_700_000_000  # seconds since 1970, at the beginning of a game
VERBS = ("beat", "begin_epoch", "claim", "close", "drop", "end_claim", "hold", "place", "release", "restore")
SHIM = Path(__file__).with_name("clock.lua").read_text()


@contextmanager
def simulated_scripts(client: redis.Redis, edits: Mapping[str, tuple[str, str]] | None = None) -> Iterator[None]:
    """All scripts have the clock in front of them. `edits` break a rule on purpose: by verb, a text and another one."""
    usual, edits = scripts._source, edits or {}

    @cache
    def source(verb: str) -> scripts.Source:
        text = usual(verb).text
        if verb in edits:
            before, after = edits[verb]
            assert text.count(before) == 1, f"{verb}.lua has another text"
            text = text.replace(before, after)
        return scripts.Source(SHIM + text, sha1((SHIM + text).encode(), usedforsecurity=False).hexdigest())

    scripts._source = source
    try:
        for verb in VERBS:  # a pipeline has only the names of the scripts
            client.script_load(source(verb).text)
        yield
    finally:
        scripts._source = usual


def set_clock(client: redis.Redis, now: float) -> None:
    """The scripts' clock, in seconds since the beginning of the game."""
    client.set(NOW, milliseconds(now))


def milliseconds(now: float) -> int:
    """That moment as scripts write it."""
    return round((BEGINNING + now) * 1000)
