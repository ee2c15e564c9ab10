"""Steering a line: what staff do to it, in the admin, by `manage.py line`, or by the keeper at a time they gave.

The row comes first, with a line of the log that staff see in the admin. Its copy in Redis follows the commit, and takes
effect at the next claim, the next join, and on open pages within a second. A Redis that is away at the beginning
refuses the whole; if it goes away after the commit, the keeper writes the copy later.
"""

import difflib
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models.functions import Now

from queueing import logs, site_time
from queueing.exceptions import LeverRefused, UnknownLine
from queueing.history import marks
from queueing.line import levers
from queueing.line.clients import RedisError, connection
from queueing.line.signs import takes_writes
from queueing.logs import about_line
from queueing.models import Entry, Line
from queueing.models.line import initial_state
from queueing.states import LineState

logger = logging.getLogger("queueing")

# The accounts that stand in the log for nobody's account. Nobody can sign in to them.
COMMAND_LINE, KEEPER = "command line", "keeper"
LONGEST_SENTENCE = 300  # characters; the column's length
NOT_YET = "It is noted, but Redis has stopped answering: it takes effect when the keeper reaches Redis again."

PAUSED = {LineState.OPEN: LineState.PAUSED, LineState.CLOSED: LineState.STOPPED}
CLOSED = {LineState.OPEN: LineState.CLOSED, LineState.PAUSED: LineState.STOPPED}
RESUMED = {to: origin for origin, to in PAUSED.items()}
OPENED = {to: origin for origin, to in CLOSED.items()}

type Changes = dict[str, Any]  # by the names of the row's columns
type Verb = Callable[[Line], Changes]


# The verbs. Each returns the changes of a row. Without a sentence the one that is there stays, until the line is open.


def pause(line: Line, sentence: str | None = None) -> Changes:
    """Nothing is started any more."""
    return {"state": PAUSED.get(LineState(line.state), line.state)} | _said(sentence)


def resume(line: Line, sentence: str | None = None) -> Changes:
    """Entries are started again."""
    return {"state": RESUMED.get(LineState(line.state), line.state)} | _said(sentence)


def close(line: Line, sentence: str | None = None, opens_at: datetime | None = None) -> Changes:
    """Nobody joins any more."""
    state = CLOSED.get(LineState(line.state), line.state)
    return {"state": state, "opens_at": opens_at, "draining": False} | _said(sentence)


def drain(line: Line, sentence: str | None = None, opens_at: datetime | None = None) -> Changes:
    """Nobody joins any more, and staff want to know when the line is empty."""
    return close(line, sentence, opens_at) | {"draining": True}


def open_(line: Line, sentence: str | None = None) -> Changes:
    """Visitors join again."""
    return {"state": OPENED.get(LineState(line.state), line.state)} | _said(sentence)


def tell(_line: Line, sentence: str | None = None) -> Changes:
    """All who wait read this sentence; none takes it away."""
    return {"sentence": sentence or ""}


def _said(sentence: str | None) -> Changes:
    return {} if sentence is None else {"sentence": sentence}


def complete(state: str, changes: Changes) -> Changes:
    """The changes of a line in that state, with what follows from them."""
    if changes.get("state", state) == LineState.OPEN != state:
        changes = {"sentence": ""} | changes  # the old sentence was about the state that ends here
    if changes.get("state", state) not in {LineState.CLOSED, LineState.STOPPED}:
        return changes | {"opens_at": None, "draining": False, "emptied_at": None}
    return changes | ({"emptied_at": None} if "draining" in changes or "state" in changes else {})


def check(state: str, changes: Changes) -> None:
    """Raises LeverRefused, with a sentence for staff, for changes that a line in that state cannot take."""
    sentence = changes.get("sentence", "")
    if len(sentence) > LONGEST_SENTENCE or "\0" in sentence:
        raise LeverRefused(f"The sentence has more than {LONGEST_SENTENCE} characters, or one that cannot be stored.")
    is_closed = changes.get("state", state) in {LineState.CLOSED, LineState.STOPPED}
    if not is_closed and (changes.get("opens_at") or changes.get("draining")):
        raise LeverRefused("Only a closed line can be drained, or opens at a time.")
    if changes.get("opens_at") and changes["opens_at"] <= site_time.now():
        raise LeverRefused("The time at which the line opens has passed.")


# Steering


def steer(queue: str, verb: Verb, words: str, user: Any = None) -> Line:
    """Do this to the line, in the name of this user; `words` are for the log. Returns the row as it is now.

    Without a user it is done by whoever has the command line of the site.

    Raises UnknownLine, LeverRefused, RedisError (then nothing is changed), or an error of the database.
    """
    check_name(queue)
    takes_writes(connection(queue))
    with transaction.atomic():
        line, user = lock(queue), user or stand_in(COMMAND_LINE)
        changes = verb(line)
        check(line.state, changes)
        Line.objects.filter(pk=line.pk).update(**complete(line.state, changes))
        mark(line, changes, user)
        note(line, user, words)
    publish(queue)
    return Line.of(queue)


def row_of(queue: str) -> Line:
    """The row of this line, stored."""
    return Line.objects.get_or_create(queue=queue, defaults={"state": initial_state(queue)})[0]


def lock(queue: str) -> Line:
    """The row of this line, which nobody else changes until the end of the transaction."""
    return Line.objects.select_for_update().get(pk=row_of(queue).pk)


def note(line: Line, user: Any, words: str) -> None:
    """A line of the log that staff see in the admin, and of the site's own."""
    assert user.pk
    LogEntry.objects.log_actions(user.pk, [line], CHANGE, words, single_object=True)
    fields = about_line(line.queue, event="steer", words=words, actor=_actor(user))
    logger.info("line %s: %s (by %r)", line.queue, words, user.get_username(), extra=fields)


def _actor(user: Any) -> str:
    """The name for programs that read the log. A stand-in is not staff: its process has set the actor."""
    return logs.actor() if user.get_username() in {COMMAND_LINE, KEEPER} else logs.staff(user)


def mark(line: Line, changes: Changes, user: Any) -> None:
    """A mark in the charts, if the state is another one; the line is as it was before these changes."""
    marks.note_state(line.queue, line.state, changes.get("state", line.state), user.get_username())


def publish(queue: str) -> None:
    """The copy for scripts and pages. Raises LeverRefused if Redis went away since the row was changed."""
    try:
        levers.publish(connection(queue), queue)
    except RedisError as error:
        raise LeverRefused(NOT_YET) from error


def stand_in(name: str) -> Any:
    """The account that stands in the log for what no account did. It has no password and no rights."""
    users = get_user_model()
    user, is_new = users.objects.get_or_create(**{users.USERNAME_FIELD: name}, defaults={"is_active": False})
    if is_new:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user


def names() -> list[str]:
    """The names of the lines, in the order of the settings."""
    return list(settings.QUEUEING_TASKS)


def check_name(queue: str) -> None:
    """Raises UnknownLine, with the nearest name."""
    if queue in names():
        return
    nearest = difflib.get_close_matches(queue, names(), n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(names())}."
    raise UnknownLine(f"There is no line {queue!r}; {hint}")


# The keeper's part


def open_due(queue: str) -> bool:
    """Open a closed line whose time has come. False: somebody else was first."""
    with transaction.atomic():
        line = lock(queue)
        changes = open_(line)
        is_due = bool(Line.objects.due().filter(pk=line.pk).update(**complete(line.state, changes)))
        if is_due:
            mark(line, changes, stand_in(KEEPER))
            note(line, stand_in(KEEPER), "Opened, as it was to be by this time.")
    return is_due


def note_empty(line: Line) -> bool:
    """Say that a line which is being drained is empty. False: it is not, or somebody else was first."""
    if Entry.objects.live().filter(queue=line.queue).exists():
        return False
    with transaction.atomic():
        draining = Line.objects.filter(pk=line.pk, draining=True, emptied_at=None)
        is_first = bool(draining.update(emptied_at=Now()))
        if is_first:
            note(line, stand_in(KEEPER), "Empty: nobody waits, and nothing runs.")
    return is_first
