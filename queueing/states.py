"""The statuses of an entry and the moves between them, as data.

"Present" and "held" are no statuses: they change by the second and live in Redis.
"""

from enum import StrEnum

from django.db.models import TextChoices


class Status(TextChoices):
    # In the line; or held: absent, with the place kept until a deadline.
    WAITING = "waiting", "Waiting"
    # A worker holds the lease and is inside the task.
    RUNNING = "running", "Running"
    # The task returned; its result is kept for RESULT_TTL.
    SUCCEEDED = "succeeded", "Succeeded"
    # The task raised, ran out of time, or its worker died too often.
    FAILED = "failed", "Failed"
    # The visitor left the line or stopped the task, or staff ended it.
    CANCELLED = "cancelled", "Cancelled"
    # The visitor was absent for longer than the place is kept.
    ABANDONED = "abandoned", "Abandoned"


class Reason(TextChoices):
    """Why an entry ended, or went back to waiting. The visitor's sentences are in `web/sentences.py`."""

    NONE = "", "None"
    LEFT = "left", "The visitor left the line or stopped the task"
    ENDED = "ended", "Staff ended it"
    CLOSED = "closed", "The page was closed for longer than CLOSE_GRACE"
    LOST = "lost", "The connection was lost for longer than LOST_GRACE"
    UNUSABLE = "unusable", "The task could not use the input"
    ERROR = "error", "The task raised an exception"
    TIMEOUT = "timeout", "The task ran out of time"
    ORPHANED = "orphaned", "The worker died in mid-task"


class Absence(StrEnum):
    """Why a visitor is absent. Each has a grace of its own, and is the Reason of an entry that it ends."""

    CLOSED = Reason.CLOSED.value  # the page said goodbye
    LOST = Reason.LOST.value  # the connection went away without a goodbye


LIVE = frozenset({Status.WAITING, Status.RUNNING})
FINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.ABANDONED})
MOVES: dict[Status, frozenset[Status]] = {
    Status.WAITING: frozenset({Status.RUNNING, Status.CANCELLED, Status.ABANDONED}),
    # Back to waiting: the worker died (orphaned), or the visitor left between the last look and the start.
    Status.RUNNING: FINAL | {Status.WAITING},
    **{status: frozenset() for status in FINAL},
}
