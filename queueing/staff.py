"""Acts of staff on entries of visitors: each is a verb of this project, and is noted with the user's name.

An act is noted twice: as a line of the entry's timeline, and in the admin's own history.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction

from queueing import ending, events, logs, rejoining
from queueing.exceptions import CodeTaken, StorageAway, TooManyWaiting, UnusableInput
from queueing.line.clients import RedisError
from queueing.line.places import get_line
from queueing.models import Entry, EntryEvent, EntryQuerySet
from queueing.registry import all_tasks
from queueing.states import Reason, Status

LINE_AWAY = "The line cannot be reached, so nothing was changed."
STORAGE_AWAY = "The storage cannot be reached, so not all is deleted."
INPUT_AWAY = "The storage cannot be reached, so nothing was changed."
STARTED_AGAIN = "It was started again before."
HAS_ENOUGH = "Its visitor has as many places as one visitor may have."
CHANGED = "It changed meanwhile."


@dataclass(frozen=True, slots=True)
class Act:
    """A verb of staff on one entry."""

    name: str
    title: str  # in the list of actions, and on the button
    past: str  # in the timeline and in the history
    told: str  # what the visitor will read or have of it
    candidates: Callable[[EntryQuerySet], EntryQuerySet]  # the rows that it may concern
    do: Callable[[Entry], bool]  # False: the entry changed meanwhile

    def perform(self, entry: Entry, user: Any) -> str:
        """Do it and note it. Returns "", or the sentence that says why nothing was done."""
        try:
            with logs.acting(logs.staff(user)):
                if not self.do(entry):
                    return CHANGED
        except RedisError:
            return LINE_AWAY
        except OSError:
            return STORAGE_AWAY
        except StorageAway:
            return INPUT_AWAY
        except CodeTaken:
            return STARTED_AGAIN
        except TooManyWaiting:
            return HAS_ENOUGH
        except UnusableInput as error:
            return str(error)
        note(entry, user, self.past)
        return ""


@dataclass(slots=True)
class Outcome:
    """The result of an act on many entries."""

    done: list[Entry] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)  # by sentence


def note(entry: Entry, user: Any, what: str) -> None:
    """Write the act into the entry's timeline."""
    EntryEvent.objects.create(entry=entry, kind=EntryEvent.Kind.STAFF, detail=f"{what} by {user.get_username()}"[:200])


def log(entries: Iterable[Entry], user: Any, what: str) -> None:
    """Write an act on these entries into the admin's history."""
    rows = list(entries)
    if rows:
        LogEntry.objects.log_actions(user.pk, rows, CHANGE, f"{what}.")


def perform(act: Act, entries: Iterable[Entry], user: Any) -> Outcome:
    """Do it to each of them that it concerns."""
    outcome = Outcome()
    for entry in entries:
        if refusal := act.perform(entry, user):
            outcome.refused[refusal] += 1
        else:
            outcome.done.append(entry)
    log(outcome.done, user, act.past)
    return outcome


def _end(entry: Entry) -> bool:
    return ending.leave(entry, Reason.ENDED)


def _retry(entry: Entry) -> bool:
    if entry.is_live or entry.followed_by_id is not None:
        return False
    if entry.queue not in all_tasks():
        return False  # the line was taken out of the settings
    successor = rejoining.retry(entry)
    EntryEvent.objects.create(entry=successor, kind=EntryEvent.Kind.STAFF, detail=f"made by a retry of {entry.code}")
    return True


def _put_first(entry: Entry) -> bool:
    return _rerank(entry, entry.put_first)


def _put_back(entry: Entry) -> bool:
    return _rerank(entry, entry.put_back)


def _rerank(entry: Entry, move: Callable[[], bool]) -> bool:
    """The row and its place, or none of both: nobody compares the places of rows and line later on."""
    before = entry.place, entry.moved_from
    try:
        with transaction.atomic():
            if not move():
                return False
            get_line(entry.queue).rerank(entry.job_id, entry.score)
    except RedisError:
        entry.place, entry.moved_from = before
        raise
    events.publish(entry.code)
    return True


def _drop_held(entry: Entry) -> bool:
    """A visitor who comes back at this moment has taken the place out of the held ones, and keeps it."""
    return get_line(entry.queue).take_held(entry.job_id) and _end(entry)


def _erase(entry: Entry) -> bool:
    return ending.erase(entry)


def _retriable(rows: EntryQuerySet) -> EntryQuerySet:
    ended = rows.final().exclude(status=Status.SUCCEEDED).exclude(reason=Reason.LEFT)
    return ended.filter(followed_by=None, erased_at=None)


ACTS = {
    act.name: act
    for act in (
        Act(
            "end",
            "End",
            "Ended",
            "The visitors lose their places, or get no result, and read that the people who run this site ended it.",
            EntryQuerySet.live,
            _end,
        ),
        Act(
            "retry",
            "Retry",
            "Retried",
            "Each visitor gets a new place with the same input: the old place if our machines were at fault, else one "
            "at the end of the line. The old page leads to it. The place is kept for a while; no work starts before "
            "the visitor looks at it.",
            _retriable,
            _retry,
        ),
        Act(
            "put_first",
            "Put first",
            "Put first",
            "The visitors see that they are ahead of all others in their line, and the others see one more ahead.",
            EntryQuerySet.waiting,
            _put_first,
        ),
        Act(
            "put_back",
            "Put back",
            "Put back",
            "The visitors are back in the places that they had before staff put them first.",
            lambda rows: rows.waiting().exclude(moved_from=None),
            _put_back,
        ),
        Act(
            "drop_held",
            "Drop if held",
            "Dropped while held",
            "Visitors who are away at this moment lose their places, and read that the people who run this site ended "
            "it. Visitors who are there keep theirs.",
            EntryQuerySet.waiting,
            _drop_held,
        ),
        Act(
            "erase",
            "Delete now",
            "Deleted",
            "Results, files, names of files and what is left of the inputs are deleted, for good. The visitors read "
            "that everything is deleted.",
            lambda rows: rows.final().filter(erased_at=None),
            _erase,
        ),
    )
}
