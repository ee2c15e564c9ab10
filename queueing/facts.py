"""The facts of a line: slow-changing numbers, the forecast of its waits, and what staff say about it.

The keeper makes the numbers and writes them to Redis (`keeper/survey.py`); pages only read them from there, with the
levers and RQ's word to all workers.
"""

import json
from dataclasses import dataclass, field, fields
from functools import lru_cache
from itertools import pairwise
from typing import Any

from queueing import eta
from queueing.eta import Wait
from queueing.line import levers
from queueing.line.levers import Levers
from queueing.line.places import get_line
from queueing.line.tampering import reports, shorten
from queueing.models.moves import end_of_priority
from queueing.policy import FIRST, LAST
from queueing.registry import get_task
from queueing.states import LineState

FACTS_TTL = 30  # seconds
LONGEST_FACTS = 256 * 1024  # bytes; a forecast for MAX_LINE entries takes a few thousand
LARGEST = 1e12  # of all numbers of a line
UNTOUCHED = Levers().as_text()  # the copy of a line that nobody has touched


@dataclass(frozen=True, slots=True)
class Facts:
    """The slow-changing numbers of a line. The defaults mean that nothing is known."""

    workers: int | None = None  # None: the keeper has written nothing lately
    running: int = 0
    busy: int = 0  # workers of this line that have a task, of whichever line
    busy_elsewhere: int = 0  # of these, the workers whose task is of another line
    return_share: float = 0.0  # the share of held visitors who come back
    waits: tuple[tuple[float, float, float], ...] = ()  # see `forecast.waits`
    first_priority: int | None = None  # the highest priority of the latest ended entries; None: not known
    # Not by the keeper, so that they change without it.
    levers: Levers = field(default_factory=Levers)
    knows_levers: bool = True  # False: Redis has lost them, and for a second nobody knows whether the line is paused
    suspended: bool = False  # RQ's word to all workers: take nothing

    @property
    def is_paused(self) -> bool:
        """True if nothing is started, by the word of staff or of RQ."""
        return self.suspended or self.levers.is_paused

    @property
    def state(self) -> LineState:
        """The state of the line; a suspension by RQ shows as paused."""
        if not self.is_paused:
            return self.levers.state
        return LineState.STOPPED if self.levers.is_closed else LineState.PAUSED

    def is_overtaken(self, priority: int) -> bool:
        """True if somebody who joins later may go before a place of this priority. The waits leave that out."""
        return self.first_priority is not None and priority < self.first_priority

    def wait(self, ahead: int, held_ahead: int = 0) -> Wait | None:
        """The expected wait of an entry with so many entries ahead; None if unknown."""
        if not self.workers or self.is_paused or not self.knows_levers:
            return None
        most = self.levers.max_running
        free = self.workers - self.busy
        if ahead < (free if most is None else min(free, most - self.running)):
            wait: Wait | None = Wait(0.0, eta.FREE_WORKER_WAIT)
        else:
            wait = eta.look_up(self.waits, ahead + self.return_share * held_ahead)
        return eta.at_pace(wait, ahead, self.levers.max_starts)


# The fields that the keeper writes.
BY_KEEPER = tuple(field.name for field in fields(Facts) if field.name not in {"levers", "knows_levers", "suspended"})


@dataclass(frozen=True, slots=True)
class LineNow:
    """The public numbers of a line at this moment."""

    queue: str
    has_epoch: bool  # False: after a flush, places are on their way back, and the numbers below are too small
    present: int  # in the line, and present when last seen
    held: int
    running: int
    workers: int | None  # None: the keeper is silent
    state: LineState
    suspended: bool  # RQ's word to all workers: take nothing; it shows as paused
    levers: Levers
    wait: Wait | None  # of a new visitor
    is_overtaken: bool  # somebody who joins later may go before that visitor

    @property
    def is_paused(self) -> bool:
        """True if nothing is started, by the word of staff or of RQ."""
        return self.suspended or self.levers.is_paused


def line_now(queue: str, priority: int | None = None) -> LineNow:
    """The line at this moment; one round trip to Redis. Raises RedisError.

    `priority` is that of the new visitor; None: that of the task.
    """
    priority = get_task(queue).task.priority if priority is None else priority
    counts = get_line(queue).counts(end_of_priority(priority))
    facts = parse_facts(*counts.written)
    return LineNow(
        queue=queue,
        has_epoch=counts.has_epoch,
        present=counts.present,
        held=counts.held,
        running=facts.running,
        workers=facts.workers,
        state=facts.state,
        suspended=facts.suspended,
        levers=facts.levers,
        wait=facts.wait(*counts.ahead) if counts.has_epoch else None,
        is_overtaken=facts.is_overtaken(priority),
    )


def parse_facts(
    written: bytes | str | None, copy_of_levers: bytes | None = UNTOUCHED, suspended: bytes | None = None
) -> Facts:
    """The facts from what is written in Redis. Facts that only a keeper of another version knows are left out.

    Nothing is known by what a keeper never writes, and its next facts take the place of that.
    """
    if written is not None and len(written) > LONGEST_FACTS:
        written = None
    return _parse(written, levers.parse(copy_of_levers), suspended is not None)


@lru_cache(maxsize=16)  # a web process reads the facts each second, and they change each 2 s
def _parse(written: bytes | str | None, said: Levers | None, suspended: bool) -> Facts:
    try:
        values = json.loads(written) if written else {}
        known = {name: _checked(name, values[name]) for name in BY_KEEPER if name in values}
    except (ValueError, TypeError, KeyError, RecursionError):
        reports.add("the facts %s are none of a line", shorten(written))
        known = {}
    return Facts(**known, levers=said or Levers(), knows_levers=said is not None, suspended=suspended)


def _checked(name: str, value: Any) -> Any:
    """The value of that field. Raises ValueError or TypeError if the keeper never writes such a value."""
    if name == "waits":
        waits = tuple((_number(ahead), _number(low), _number(high)) for ahead, low, high in value)
        if any(ahead >= following for (ahead, *_), (following, *_) in pairwise(waits)):
            raise ValueError("no forecast of a line")
        return waits
    if name in {"workers", "first_priority"} and value is None:
        return None
    if name == "first_priority":
        if not LAST <= value <= FIRST:
            raise ValueError("no priority")
        return int(value)
    number = _number(value)
    return number if name == "return_share" else int(number)


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= LARGEST:  # false for NaN
        raise ValueError("no number of a line")
    return value
