"""The exceptions of this package. An exception without a message of its own shows its docstring.

A visitor reads the docstrings of JoinRefused and its subclasses.
"""


class QueueingError(Exception):
    """Something in the queue went wrong."""

    def __str__(self) -> str:
        return super().__str__() or (type(self).__doc__ or "")


class JoinRefused(QueueingError):
    """The line takes nobody right now."""

    retry_after = 30  # seconds, for the Retry-After header


class LineFull(JoinRefused):
    """The line is full."""

    retry_after = 60


class LineClosed(JoinRefused):
    """This line is closed for the moment. Visitors who are in it keep their places."""

    retry_after = 300


class RedisAway(JoinRefused):
    """The queue cannot be reached right now, so it takes nobody in."""

    retry_after = 10


class StorageFull(JoinRefused):
    """There is no room for your file right now."""

    retry_after = 300


class TooManyWaiting(JoinRefused):
    """You already have as many places in line as one visitor may hold."""


class CodeTaken(QueueingError):
    """There is an entry of this code already."""


class IllegalMove(QueueingError):
    """An entry cannot move from its status to that one: a mistake in the code that asked for it."""


class InsideTransaction(QueueingError):
    """context.progress() was called inside transaction.atomic(): report progress before or after the transaction."""


class TooManyPages(QueueingError):
    """The entry has MAX_PAGES_PER_ENTRY pages open in this process."""


class SignInRefused(QueueingError):
    """Signing in is not possible right now."""

    retry_after = 5  # seconds, for the Retry-After header


class TooManyAttempts(SignInRefused):
    """There were too many attempts to sign in."""

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


class VisitorLeft(QueueingError):
    """The attempt is no longer wanted. A task lets this exception pass.

    The visitor stopped it or was away for too long, or another attempt has the row.
    """


class UnusableInput(QueueingError):
    """The input cannot be used. Raise it with one sentence that tells the visitor why."""


class UnknownTask(QueueingError):
    """There is no such heavy task."""
