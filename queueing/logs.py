"""The fields of log lines about entries and lines, for logs that programs read (LOG_FORMAT=json).

Text lines do not show them. The actor is a visitor, a member of staff, the keeper, a worker, the command line, or other
code of the site.
"""

import logging
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

# Each move by itself, also where the text log has one line for many. See LOGGING in config/settings.py.
each = logging.getLogger("queueing.each")

SELDOM = 10.0  # seconds between two lines of a `Seldom`

VISITOR, CODE = "visitor", "code"
_actor: ContextVar[str] = ContextVar("actor", default=CODE)


class Seldom:
    """A warning of a loop: logged in the first turn, and at most once in so many seconds."""

    def __init__(self, log: logging.Logger, seconds: float = SELDOM) -> None:
        self._log, self._seconds = log, seconds
        self._next_at = 0.0  # by the monotonic clock

    def warning(self, sentence: str, *values: object) -> None:
        """Log it, unless one was logged a moment ago."""
        if (now := time.monotonic()) >= self._next_at:
            self._next_at = now + self._seconds
            self._log.warning(sentence, *values)


def act_as(name: str) -> None:
    """Sets the actor of this context."""
    _actor.set(name)


@contextmanager
def acting(name: str) -> Iterator[None]:
    """Sets the actor of this context for a block."""
    token = _actor.set(name)
    try:
        yield
    finally:
        _actor.reset(token)


def staff(user: Any) -> str:
    """The actor's name of a member of staff."""
    return f"staff {user.get_username()}"


def actor() -> str:
    """The actor of this context."""
    return _actor.get()


def about(entry: Any, **more: Any) -> dict[str, Any]:
    """The fields of a line about an entry."""
    return {
        "entry": str(entry.code),
        "line": entry.queue,
        "status": str(entry.status),
        "reason": str(entry.reason),
        "attempt": entry.attempt,
        "worker": entry.worker_ids[-1] if entry.worker_ids else "",
        "actor": actor(),
        "trace_id": entry.trace_id,
        **more,
    }


def about_line(queue: str, **more: Any) -> dict[str, Any]:
    """The fields of a line about a whole line of entries."""
    return {"line": queue, "actor": actor(), **more}


def is_shown(logger: logging.Logger, level: int) -> bool:
    """True if a line of this level is seen: a handler takes it that writes to a stream, such as the terminal."""
    if not logger.isEnabledFor(level):
        return False
    line = logger.makeRecord(logger.name, level, __file__, 0, "", (), None)
    return any(_takes(handler, line) for handler in _handlers(logger))


def show(named: Collection[str]) -> None:
    """Shows the log at INFO. What the site's LOGGING has `named`, or set up in another way, stays as it is.

    Django's own LOGGING has no handler for it and drops INFO. Called after LOGGING was applied.
    """
    queue = logging.getLogger("queueing")
    if not _is_set_up(queue, named):
        queue.setLevel(logging.INFO)
        queue.disabled = False  # by a LOGGING without `disable_existing_loggers`, if the settings import the queue
        queue.addHandler(Terminal())
    if not _is_set_up(each, named):
        each.setLevel(logging.WARNING)


class Terminal(logging.StreamHandler[Any]):
    """Standard error, for lines that no other handler writes to a stream: a root handler, or daphne's own."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))

    def filter(self, record: logging.LogRecord) -> bool | logging.LogRecord:
        """False for a line that is written already."""
        others = (handler for handler in _handlers(logging.getLogger(record.name)) if handler is not self)
        return not any(_takes(handler, record) for handler in others) and super().filter(record)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line to standard error as it is now: a runner of tests puts others there, and closes them."""
        self.stream = sys.stderr
        super().emit(record)


def _is_set_up(logger: logging.Logger, named: Collection[str]) -> bool:
    return logger.name in named or bool(logger.level or logger.handlers) or not logger.propagate


def _handlers(logger: logging.Logger) -> Iterator[logging.Handler]:
    """The handlers that get a line of this logger: its own, and those above."""
    here: logging.Logger | None = logger
    while here is not None:
        yield from here.handlers
        here = here.parent if here.propagate else None


def _takes(handler: logging.Handler, line: logging.LogRecord) -> bool:
    return isinstance(handler, logging.StreamHandler) and line.levelno >= handler.level and bool(handler.filter(line))
