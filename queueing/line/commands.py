"""Commands to a worker: RQ's command to end after its task, and two of ours, in RQ's own channel of the worker."""

import json
from typing import Any

from rq.command import send_command

from queueing.line.clients import connection

STOP = "shutdown"  # RQ's own: finish the task, then end
QUIET, RESUME = "quiet", "resume"  # finish the task, and take no more; go on


def send(worker: str, command: str, queue: str = "") -> None:
    """Tell a worker, at the server of this line. Raises RedisError.

    It is not told twice: whether it has heard is in what it tells about itself.
    """
    send_command(connection(queue), worker, command)


def asks_for_quiet(message: Any) -> bool | None:
    """True and False for our two commands; None for RQ's, and for what is none."""
    try:
        command = json.loads(message["data"])["command"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return {QUIET: True, RESUME: False}.get(command) if isinstance(command, str) else None
