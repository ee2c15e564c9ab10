"""The time that all hosts share, as this process knows it.

Web processes, workers and the keeper follow a clock that is the same for all of them (`shared_clock.py`), since their
own may be wrong by minutes. A process asks that clock now and then, and counts on with its monotonic clock. That one
stands still while a machine sleeps, so it asks again when the two clocks of this host have drifted apart. Commands have
their own clock.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

logger = logging.getLogger("queueing")

ASKED_EVERY = 600.0  # seconds
FIRST_TRIED_AGAIN, TRIED_AGAIN = 1.0, 5.0  # seconds after a question without an answer: until there was one, and later
QUESTIONS, QUICK = 3, 0.002  # so many at a time, until one has its answer within so many seconds
TOO_LATE = 1.0  # seconds of an answer's delay after which the next question comes soon
WORTH_TELLING = 5.0  # seconds between the two clocks


class Answer(NamedTuple):
    """An answer of the shared clock."""

    at: float  # seconds since 1970
    when: float  # by the monotonic clock


@dataclass(slots=True)
class _Known:
    """The answer to the last question that had one."""

    ask: Callable[[], float] | None = None  # seconds since 1970; may raise
    answer: Answer | None = None
    next_question: float = field(default=float("-inf"))
    drift: float = 0.0  # between the two clocks of this host, at the last question
    is_told: bool = False  # that this host's clock is wrong


_known = _Known()


def follow(ask: Callable[[], float] | None) -> None:
    """From now on the time is what `ask` says, in seconds since 1970; None: this process's own."""
    _known.ask, _known.answer, _known.next_question = ask, None, float("-inf")


def timestamp() -> float:
    """The time, in seconds since 1970."""
    if _known.ask is not None and _is_due() and not _is_in_event_loop():
        _ask(_known.ask)
    return time.time() if _known.answer is None else _by(_known.answer)


def _by(answer: Answer) -> float:
    return answer.at + time.monotonic() - answer.when


def now() -> datetime:
    return datetime.fromtimestamp(timestamp(), UTC)


def seconds_behind() -> float:
    """Seconds by which this host's own clock is behind; 0 if it is not."""
    return max(0.0, timestamp() - time.time())


def _is_due() -> bool:
    """True if a question is due: some time has passed, this host's clock was set, or the host has slept."""
    return time.monotonic() >= _known.next_question or abs(_drift() - _known.drift) > WORTH_TELLING


def _drift() -> float:
    return time.time() - time.monotonic()


def _ask(ask: Callable[[], float]) -> None:
    """Take the quickest of a few answers, as NTP does: each is as good as half of its delay.

    The first one waits for a new connection. Without an answer the process counts on from the last one.
    """
    _known.drift, shortest = _drift(), float("inf")
    _known.next_question = time.monotonic() + (TRIED_AGAIN if _known.answer else FIRST_TRIED_AGAIN)
    for _ in range(QUESTIONS):
        began = time.monotonic()
        try:
            at = ask()
        except Exception:  # of a database or a Redis that is away
            logger.debug("The shared clock gave no answer", exc_info=True)
            break
        delay = time.monotonic() - began
        if delay < shortest:
            shortest, _known.answer = delay, Answer(at, began + delay / 2)
        if delay < QUICK or delay >= TOO_LATE:
            break
    if shortest < TOO_LATE:
        _known.next_question = time.monotonic() + ASKED_EVERY
    if shortest < float("inf") and _known.answer is not None:
        _tell(time.time() - _by(_known.answer))


def _tell(ahead: float) -> None:
    is_wrong = abs(ahead) > WORTH_TELLING
    if is_wrong and not _known.is_told:
        direction = "ahead of" if ahead > 0 else "behind"
        logger.warning("The clock of this host is %.0f s %s the site's", abs(ahead), direction)
    _known.is_told = is_wrong


def _is_in_event_loop() -> bool:
    """True in a thread that must not wait for an answer."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
