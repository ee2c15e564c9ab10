"""The statuses of an entry and the moves between them, as data.

"Present" and "held" are not statuses: they change by the second and live in Redis.
"""

from enum import Enum, StrEnum, auto

from django.db.models import TextChoices


class Status(TextChoices):
    # Unseen, in the line, held, or claimed: which one of these is in Redis.
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
    """The cause of an entry's end, or of its return to waiting. The visitor's sentences are in `web/sentences.py`."""

    NONE = "", "None"
    LEFT = "left", "The visitor left the line or stopped the task"
    ENDED = "ended", "Staff ended it"
    UNSEEN = "unseen", "The page was never opened"
    CLOSED = "closed", "The page was closed for longer than CLOSE_GRACE"
    LOST = "lost", "The connection was lost for longer than LOST_GRACE"
    UNUSABLE = "unusable", "The task could not use the input"
    ERROR = "error", "The task raised an exception"
    TIMEOUT = "timeout", "The task ran out of time"
    CRASHED = "crashed", "The task crashed its process"
    ORPHANED = "orphaned", "The worker died in mid-task"


class Blame(Enum):
    """The cause of a failure."""

    INPUT = auto()  # one attempt; the visitor learns something about the input
    PROGRAM = auto()  # one attempt; the visitor learns nothing
    MACHINE = auto()  # MAX_ATTEMPTS attempts; then "Join again" gives the old place


# The blame for each failure. How a run comes to its reason is in `work/blame.py`.
BLAME = {
    Reason.UNUSABLE: Blame.INPUT,
    Reason.TIMEOUT: Blame.INPUT,
    Reason.CRASHED: Blame.INPUT,
    Reason.ERROR: Blame.PROGRAM,
    Reason.ORPHANED: Blame.MACHINE,
}
FAILED_BY_US = frozenset(reason for reason, blame in BLAME.items() if blame != Blame.INPUT)


class Absence(StrEnum):
    """The kind of an absence. It decides how long the place is kept, and is the Reason of an entry that it ends."""

    UNSEEN = Reason.UNSEEN.value  # the page has never been looked at
    CLOSED = Reason.CLOSED.value  # the page said goodbye
    LOST = Reason.LOST.value  # the connection went away without a goodbye


class LineState(TextChoices):
    """The state of a line, as staff set it. Its waiting entries keep their places in each state."""

    OPEN = "open", "Open"
    # Nobody joins. Those who wait are served.
    CLOSED = "closed", "Closed: nobody joins"
    # Nothing is started. Work in hand is finished, and visitors may join.
    PAUSED = "paused", "Paused: nothing is started"
    # Both.
    STOPPED = "stopped", "Stopped: nobody joins, nothing is started"


LIVE = frozenset({Status.WAITING, Status.RUNNING})
FINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.ABANDONED})
MOVES: dict[Status, frozenset[Status]] = {
    Status.WAITING: frozenset({Status.RUNNING, Status.CANCELLED, Status.ABANDONED}),
    # Back to waiting: the worker died (orphaned), or the visitor left between the last look and the start.
    Status.RUNNING: FINAL | {Status.WAITING},
    **{status: frozenset() for status in FINAL},
}
