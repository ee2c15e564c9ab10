"""The sentences that are made from the state of an entry. Page, socket and poll all show these.

Sentences about a failure are written into the row where the failure happens (`work/runner.py`, `ending.py`); sentences
about a refused join are in `exceptions.py`.
"""

from datetime import datetime
from math import ceil

from django.utils.dateformat import format as date_format
from django.utils.timezone import localdate, localtime

from queueing import eta, parcel
from queueing.conf import conf
from queueing.eta import Wait
from queueing.facts import Facts
from queueing.line.places import Place
from queueing.models import Entry
from queueing.states import Reason, Status

REDIS_AWAY = "The line cannot be seen right now; your place is kept."
REDIS_AWAY_DETAIL = "The queue cannot be reached for the moment. This page goes on by itself when it can."
NO_WORKER = "No worker is there at the moment. Your place is kept, and the line goes on by itself."
PAUSED = "This line is paused at the moment. Your place is kept, and the line goes on by itself when the pause is over."
# The priority of the place is the lowest. Whoever joins later may be served first, so a wait would be a promise.
BEHIND = "Your network has many places in this line, so this one comes after those of other networks."
BEHIND_WAIT = "Whoever joins from another network goes first, so the wait cannot be told."
# Those of a higher priority go first, also when they join later. The range is made from those who are there.
OR_LONGER = ", or longer: some who join later go first"
# Redis was emptied, or could not be reached at the join: the keeper gives the place that the row says.
NO_PLACE = "Your place is stored; its number will follow."

DELETED = (
    "The file, the result and everything else that belonged to this place are deleted. "
    "Only when and how it ended is kept, for about {time}."
)
# The task raised an exception after which it is tried again; or code has asked for a later start.
TRIED_AGAIN = "Something went wrong while working on this. It is tried again by itself, and your place is kept."
STARTED_LATER = "This is to be started later, and keeps its place until then."
# A failure that came without a sentence for the visitor.
NO_MESSAGE = "Something went wrong on our side while working on this. It has been recorded, and we will look into it."


def headline(entry: Entry, place: Place | None = None, *, is_claimed: bool = False, is_overtaken: bool = False) -> str:
    """The first sentence on the entry's page. `is_overtaken`: somebody who joins later may go first."""
    match entry.status:
        case Status.WAITING:
            if entry.is_put_off and entry.retries:
                return "Waiting for the next try"
            if place is None:
                return "Your turn is coming up" if is_claimed else "Waiting"
            if place.ahead:
                return f"{ordinal(place.ahead + 1)} in line"
            return "Nobody is ahead of you now" if is_overtaken else "You are next"
        case Status.RUNNING:
            return entry.message or f"{entry.heavy_task.verb}…"
        case _:
            return "Deleted" if entry.erased_at else _headline_of_end(entry)


def may_be_overtaken(entry: Entry, facts: Facts) -> bool:
    """True if somebody who joins later may go before this entry."""
    return entry.behind or facts.is_overtaken(entry.priority)


def _headline_of_end(entry: Entry) -> str:
    match entry.status:
        case Status.SUCCEEDED:
            return "Here is your result"
        case Status.FAILED:
            return "This did not work"
        case Status.CANCELLED:
            if entry.attempt:
                return "Stopped"
            return "Your place was ended" if entry.reason == Reason.ENDED else "You left the line"
        case _:
            return "Your place has passed"


def detail(entry: Entry, place: Place | None, facts: Facts, *, is_claimed: bool) -> str:
    """The sentence below the headline: its meaning; for an ended entry, the reason of the end."""
    match entry.status:
        case Status.WAITING:
            if entry.is_put_off:
                return TRIED_AGAIN if entry.retries else STARTED_LATER
            if place is None:
                return "A worker is taking it up." if is_claimed else NO_PLACE
            return _where(entry, place, facts)
        case Status.RUNNING:
            return f"It is your turn.{_what_was_before(entry)}"
        case _:
            return _why_it_ended(entry)


def advice(entry: Entry, again_seconds: float | None) -> str:
    """The next steps that a visitor has after an end without a result. The page counts the duration in it down."""
    if entry.erased_at or entry.followed_by_id is not None:  # the page leads to the entry that follows
        return ""
    what = input_of(entry)
    if entry.may_join_again and again_seconds is None:
        return f"Your input is deleted by now. You can start again{'' if what == 'input' else ' with a file'}."
    again = f"You can join again with the same {what} for {how_long(again_seconds)}"
    match entry.status:
        case Status.FAILED:
            if entry.reason in (Reason.UNUSABLE, Reason.CRASHED):
                return _other_input(entry, what)
            if entry.keeps_place_for_successor:
                return f"{again}, and are back in your place."
            return f"{again}, or start with {'others' if what == 'files' else 'another one'}."
        case Status.CANCELLED | Status.ABANDONED:
            return f"{again}; your new place is at the end of the line."
        case _:
            return ""


def _other_input(entry: Entry, what: str) -> str:
    """The advice after a refused input: the file, or a field beside it, and nobody can say which of them."""
    if what == "input" or entry.heavy_task.form.has_options():
        return "The same input would end the same way. Change it, and start again."
    return f"The same {what} would end the same way; {'others' if what == 'files' else 'another one'} may work."


def wait(entry: Entry, seconds: Wait | None, facts: Facts, *, is_claimed: bool) -> str:
    """The expected wait, from its range in seconds."""
    if entry.status != Status.WAITING or is_claimed or entry.is_put_off:
        return ""
    if facts.is_paused:  # first: no worker has to be there
        return PAUSED
    if facts.workers == 0:
        return NO_WORKER
    if entry.behind:
        return BEHIND_WAIT
    known = wait_in_words(seconds, is_overtaken=facts.is_overtaken(entry.priority))
    return f"Expected wait: {known}." if known else "The wait is not known yet."


def wait_in_words(wait: Wait | None, *, is_overtaken: bool) -> str:
    """The expected wait as part of a sentence; empty if it is unknown."""
    known = eta.sentence(wait)
    return f"{known}{OR_LONGER}" if known and is_overtaken else known


def title(entry: Entry, place: Place | None) -> str:
    """The title of the browser's tab. It begins with the part that changes."""
    name = entry.heavy_task.title
    match entry.status:
        case Status.WAITING:
            return f"({place.ahead + 1}) {name}" if place else name
        case Status.RUNNING:
            return f"{entry.progress:.0%} {name}" if entry.progress else name
        case Status.SUCCEEDED if entry.has_result:
            return f"✓ {name}"
        case _:
            return f"{headline(entry)} · {name}"


def input_of(entry: Entry) -> str:
    """The input of an entry, as part of a sentence: a file, several, or the options alone."""
    if not entry.input_name:
        return "input"
    return "files" if entry.input.name and entry.input.name.endswith(parcel.ENDING) else "file"


def how_long(seconds: float | None) -> str:
    """A duration in words, as entry/again.js writes it: minutes, and seconds below a minute and a half."""
    if seconds is None:
        return ""
    if seconds > 90:
        return f"{ceil(seconds / 60)} minutes"
    return "1 second" if ceil(seconds) == 1 else f"{ceil(seconds)} seconds"


def time_of(moment: datetime, clock: str = "H:i e") -> str:
    """The time of day, with the date if that is not today: "14:00 UTC", "30 Nov, 14:00 UTC"."""
    local = localtime(moment)
    return date_format(local, clock if local.date() == localdate() else f"j M, {clock}")


def who_may_return(held: int) -> str:
    """The held places of a line, as part of a sentence."""
    return "1 who is away may return" if held == 1 else f"{held} who are away may return"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 11th."""
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def notice(entry: Entry, facts: Facts) -> str:
    """The message of staff to all who wait in the line."""
    return facts.levers.sentence if entry.status == Status.WAITING else ""


def _serving(facts: Facts, *, is_next: bool) -> str:
    """The workers of the line. A worker may serve several lines, so all workers may be busy with other lines."""
    workers, elsewhere = facts.workers or 0, facts.busy_elsewhere
    if facts.busy < workers or not elsewhere:
        return f"{workers} {'worker serves' if workers == 1 else 'workers serve'} this line."
    every = {1: "The worker of this line is", 2: "Both workers of this line are"}.get(
        workers, f"All {workers} workers of this line are"
    )
    others = "another line" if elsewhere == 1 else "other lines"
    if elsewhere < workers:
        return f"{every} busy, {'one' if elsewhere == 1 else elsewhere} of them with {others}."
    then = f" You are next when {'it' if workers == 1 else 'one'} is free for this line." if is_next else ""
    return f"{every} busy with {others}.{then}"


def _about(seconds: float) -> str:
    """A long duration in words, to the hour."""
    hours = round(seconds / 3600)
    return how_long(seconds) if hours < 1 else "an hour" if hours == 1 else f"{hours} hours"


def _why_it_ended(entry: Entry) -> str:
    if entry.erased_at:
        return DELETED.format(time=_about(conf.RESULT_TTL))
    match entry.status:
        case Status.FAILED:
            return entry.message or NO_MESSAGE
        case Status.CANCELLED if entry.reason == Reason.ENDED:
            return f"The people who run this site ended it{' before it was done' if entry.attempt else ''}."
        case Status.CANCELLED if entry.attempt:
            return "The work was stopped before it was done."
        case Status.CANCELLED:
            return f"Your turn had not come, so nothing was done with your {input_of(entry)}."
        case Status.ABANDONED:
            what = "The work was stopped" if entry.attempt else "You were passed over"
            if entry.reason == Reason.UNSEEN:
                return f"{what}, because this page was not opened in time."
            gone = "this page was closed" if entry.reason == Reason.CLOSED else "the connection to this page was lost"
            return f"{what}, because {gone} for longer than a place is kept."
        case _:
            return ""


def _what_was_before(entry: Entry) -> str:
    """The end of the attempt before the one that runs."""
    if entry.retries:
        return f" This is try {entry.retries + 1} of {max(entry.heavy_task.attempts, entry.retries + 1)}."
    return " The machine that worked on it stopped, so it began again." if entry.attempt > 1 else ""


def _where(entry: Entry, place: Place, facts: Facts) -> str:
    ahead = f"{place.ahead} ahead of you" if place.ahead else "Nobody is ahead of you"
    held = f"; {who_may_return(place.held_ahead)}" if place.held_ahead else ""
    is_served = facts.workers and not facts.is_paused
    serving = f" {_serving(facts, is_next=not place.ahead and not may_be_overtaken(entry, facts))}" if is_served else ""
    again = " The machine working on it stopped; you are back in your place." if entry.reason == Reason.ORPHANED else ""
    behind = f" {BEHIND}" if entry.behind else ""
    return f"{ahead}{held}.{serving}{behind}{again}"
