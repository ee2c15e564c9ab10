"""The levers of a line, as scripts and pages see them: a copy in Redis of what staff have written into the line's row.

The row is the truth. Whoever changes it writes the copy, too (`publish`); the keeper mends a copy that differs. After a
flush there is no copy: then a claim and a join read the row first, so that no paused line is served and no closed one
is joined because Redis has forgotten it.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, NamedTuple, cast

import redis

from queueing.line import scripts
from queueing.line.keys import line_keys
from queueing.line.tampering import reports, shorten
from queueing.states import LineState

# RQ's key with its word to all workers to take nothing: `rq.suspension`.
SUSPENDED = "rq:suspended"
# The types of the values in a copy; all others are whole numbers.
KINDS: dict[str, tuple[type, ...]] = {
    "state": (str,),
    "sentence": (str,),
    "draining": (bool,),
    "opens_at": (int, float),
    "emptied_at": (int, float),
}
LARGEST = 2**37  # seconds since 1970 in the year 6325; and more than any limit
LONGEST_COPY = 4096  # bytes; the sentence has at most 300 characters


@dataclass(frozen=True, slots=True)
class Levers:
    """The levers of a line, as staff set them. The defaults are those of a line that nobody has touched."""

    state: LineState = LineState.OPEN
    sentence: str = ""  # for all who wait, and for those who would join
    opens_at: float | None = None  # of a closed line: when it opens, in seconds since 1970
    draining: bool = False  # a closed line that is not empty yet
    emptied_at: float | None = None  # of a drained line: when it was empty, in seconds since 1970
    # Limits; None: the site's setting, or no limit where there is no setting.
    max_line: int | None = None  # entries in the line
    max_per_visitor: int | None = None  # places in this line that one visitor may hold
    max_starts: int | None = None  # starts a minute
    max_running: int | None = None  # entries that run at the same time

    @property
    def is_closed(self) -> bool:
        """True if nobody may join."""
        return self.state in {LineState.CLOSED, LineState.STOPPED}

    @property
    def is_paused(self) -> bool:
        """True if nothing may be started."""
        return self.state in {LineState.PAUSED, LineState.STOPPED}

    def as_text(self) -> bytes:
        """The copy. Without a field that says nothing: Lua takes JSON's null for a value."""
        values = {name: value for name, value in asdict(self).items() if value not in {None, "", False}}
        return json.dumps(values | {"state": self.state.value}, separators=(",", ":"), sort_keys=True).encode()


class Row(NamedTuple):
    """The levers in the row of a line."""

    levers: Levers
    running: list[str]  # the job ids of the running entries, if their number is limited
    lost_starts: int  # starts that may have been in the last minute, if their number is limited


class Rows:
    """The reader of the rows. `models/line.py` sets it, because this layer knows no rows."""

    read: Callable[[str], Row]


rows = Rows()


def publish(client: redis.Redis, queue: str) -> Levers:
    """Make the copy what the row says, and return the levers. Raises RedisError, or an error of the database.

    1. Two callers read the row before and after a change.
    2. The later row is written first, then the earlier one: it must not stay.

    So the copy is looked at before the row, and only this very copy is replaced.
    """
    keys = line_keys(queue)
    while True:
        before = cast("bytes | None", client.get(keys.levers))
        row = rows.read(queue)
        text = row.levers.as_text()
        lost_starts = row.lost_starts if before is None else 0
        if before == text or scripts.steer(client, keys, before or b"", text, row.running, lost_starts):
            return row.levers


def read(client: redis.Redis, queue: str) -> Levers:
    """The levers by their copy, or by the row if there is none. Raises as `publish`."""
    return parse(cast("bytes | None", client.get(line_keys(queue).levers))) or publish(client, queue)


def parse(written: bytes | None) -> Levers | None:
    """The levers in a copy. None for no copy, and for one that this project never writes: the keeper mends it."""
    return _parse(written) if written and len(written) <= LONGEST_COPY else None


def _fits(name: str, value: Any) -> bool:
    """True if this value of a lever may be one that this project writes."""
    is_number = type(value) in {int, float}
    return type(value) in KINDS.get(name, (int,)) and (not is_number or 0 <= value <= LARGEST)


@lru_cache(maxsize=64)
def _parse(written: bytes) -> Levers | None:
    try:
        values: dict[str, Any] = json.loads(written)
        if all(_fits(name, value) for name, value in values.items()):
            return Levers(**values | {"state": LineState(values["state"])})
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    reports.add("the levers %s are none of a line", shorten(written))
    return None
