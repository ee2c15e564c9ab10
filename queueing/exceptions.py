"""The exceptions of this package. An exception without a message of its own shows its docstring.

A visitor reads the docstrings of JoinRefused and its subclasses, and of KeepRefused.
"""

import math
from datetime import UTC, datetime

from queueing import site_time


class QueueingError(Exception):
    """Something in the queue went wrong."""

    def __str__(self) -> str:
        return super().__str__() or (type(self).__doc__ or "")


class JoinRefused(QueueingError):
    """The line takes nobody right now."""

    retry_after = 30  # whole seconds, for the Retry-After header
    status = 503  # of the answer
    is_guess = False  # `retry_after` is for machines alone
    # Of the refusals of a budget: where its entries are used up; where some bytes are free; a file larger than it.
    entries_sentence = room_sentence = too_large_sentence = ""

    def __init__(self, sentence: str = "", *, seconds: float | None = None) -> None:
        super().__init__(sentence)
        if seconds is not None:
            self.retry_after = max(1, math.ceil(seconds))


class LineFull(JoinRefused):
    """The line is full."""

    retry_after = 60


class LineClosed(JoinRefused):
    """This line is closed for the moment. Visitors who are in it keep their places."""

    retry_after = 300
    is_guess = True  # nobody knows when staff will open it

    def __init__(self, notice: str = "", *, opens_at: float | None = None) -> None:
        until = opens_at if opens_at is not None and opens_at > site_time.timestamp() else None
        super().__init__(seconds=None if until is None else until - site_time.timestamp())
        self.notice = notice  # what staff say about it
        self.opens_at = None if until is None else datetime.fromtimestamp(until, UTC)


class NotOpen(JoinRefused):
    """This line is not open to you."""

    retry_after = 0
    status = 403


class RedisAway(JoinRefused):
    """The queue cannot be reached right now, so it takes nobody in."""

    retry_after = 10


class StorageAway(JoinRefused):
    """The storage cannot be reached right now, so no file can be taken in."""

    retry_after = 10


class StorageFull(JoinRefused):
    """The storage is full: there is no room for your file right now."""

    retry_after = 300


class Busy(JoinRefused):
    """Many files are being looked into right now."""

    retry_after = 10


class LowOnDisk(StorageFull):
    """The storage is full: there is no room for another file right now."""


class LineStoresTooMuch(StorageFull):
    """The storage is full: this line has as much stored as it may."""

    room_sentence = (
        "There is no room for this file beside what this line has stored: {free} of {most} are free. "
        "Room comes back as files are deleted."
    )
    too_large_sentence = "This file is larger than what one line may have stored here ({most})."
    entries_sentence = "This line keeps as many entries as it may. Room comes back as they are deleted."


class SiteStoresTooMuch(StorageFull):
    """The storage is full: this site has as much stored as it may."""

    room_sentence = (
        "There is no room for this file beside what this site has stored: {free} of {most} are free. "
        "Room comes back as files are deleted."
    )
    too_large_sentence = "This file is larger than what this site may have stored ({most})."
    entries_sentence = "This site keeps as many entries as it may. Room comes back as they are deleted."


class StoresTooMuch(JoinRefused):
    """You have as much stored here as one visitor may. Delete what you no longer need, or wait until it is deleted."""

    retry_after = 300
    status = 429
    room_sentence = (
        "There is no room for this file beside what you have stored: {free} of {most} are free. "
        "Delete something, or wait until it is deleted."
    )
    too_large_sentence = "This file is larger than what one visitor may have stored here ({most})."
    entries_sentence = "You have as many entries here as one visitor may. Each is deleted some time after its end."


class NetworkStoresTooMuch(StoresTooMuch):
    """Your network has as much stored here as one may. Delete what you no longer need, or wait until it is deleted."""

    room_sentence = (
        "There is no room for this file beside what your network has stored: {free} of {most} are free. "
        "Delete something, or wait until it is deleted."
    )
    too_large_sentence = "This file is larger than what one network may have stored here ({most})."
    entries_sentence = "Your network has as many entries here as one may. Each is deleted some time after its end."


class TooLargeToStore(JoinRefused):
    """This file is larger than what may be stored here."""

    retry_after = 0  # waiting does not help
    status = 413


class TooManyWaiting(JoinRefused):
    """You already have as many places in line as one visitor may hold."""

    status = 429


class TooManyJoins(JoinRefused):
    """Many have joined from your network just now."""

    status = 429


class TooManyPreviews(JoinRefused):
    """Many previews have been asked for from your network just now. Joining works without one."""

    status = 429


class NoPreview(JoinRefused):
    """There is no preview while this line is so busy. Joining works without one."""

    retry_after = 300


class TooManyUnseen(JoinRefused):
    """Many places have been taken from your network without a look at their pages. Opening these pages helps, too."""

    status = 429


class TooManyFromNetwork(JoinRefused):
    """Your network has as many places in this line as one network may hold."""

    retry_after = 60
    status = 429


class FormUsed(JoinRefused):
    """This form has been used already, and each one counts once."""

    retry_after = 0
    status = 409


class StorageError(QueueingError, OSError):
    """The storage of objects gave no answer."""


class StorageRefused(StorageError):
    """The storage of objects refused: the key, the right, or the bucket is missing."""

    def __init__(self, sentence: str = "", status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status  # of HTTP; 0: unknown


class UnknownLine(QueueingError):
    """There is no such line."""


class LeverRefused(QueueingError):
    """The line cannot be steered so."""


class FormInvalid(QueueingError):
    """The form cannot be used, and says why."""


class CheckFailed(QueueingError):
    """The check that the form asks for was not passed."""


class KeepRefused(QueueingError):
    """The place cannot be kept yet."""


class CodeTaken(QueueingError):
    """There is an entry of this code already."""


class IllegalMove(QueueingError):
    """An entry cannot move from its status to that one: a mistake in the code that asked for it."""


class InsideTransaction(QueueingError):
    """context.progress() was called inside transaction.atomic(): report progress before or after the transaction."""


class FilesTooLarge(QueueingError):
    """The files of this attempt are together larger than its task may save."""


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


class RaisedInside(QueueingError):
    """An exception of an isolated task."""

    def __init__(self, sentence: str, *, error_class: str, is_retried: bool = False) -> None:
        super().__init__(sentence)
        self.error_class = error_class  # its dotted path
        self.is_retried = is_retried  # it is one of the task's `retry_on`


class CheckBroken(QueueingError):
    """A checker cannot import a form."""


class UnknownTask(QueueingError):
    """There is no such heavy task."""


class UnfitForTests(QueueingError):
    """The tests cannot be run with these settings."""
