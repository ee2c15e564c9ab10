"""The fields of log lines about entries and lines, for logs that programs read (LOG_FORMAT=json).

Text lines do not show them. The actor is a visitor, a member of staff, the keeper, a worker, the command line, or other
code of the site.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

# Each move by itself, also where the text log has one line for many. See LOGGING in config/settings.py.
each = logging.getLogger("queueing.each")

VISITOR, CODE = "visitor", "code"
_actor: ContextVar[str] = ContextVar("actor", default=CODE)


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
    here: logging.Logger | None = logger
    while here is not None:
        if any(_takes(handler, line) for handler in here.handlers):
            return True
        here = here.parent if here.propagate else None
    return False


def _takes(handler: logging.Handler, line: logging.LogRecord) -> bool:
    return isinstance(handler, logging.StreamHandler) and line.levelno >= handler.level and bool(handler.filter(line))
