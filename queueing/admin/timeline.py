"""What happened to one entry, in order, with the time from each moment to the next."""

from datetime import datetime
from typing import NamedTuple

from queueing.admin.base import duration
from queueing.models import Entry

MOST_EVENTS = 200  # lines of a timeline; the keeper writes fewer, see `keeper/timeline.py`


class Moment(NamedTuple):
    """One line of a timeline."""

    at: datetime
    what: str
    detail: str = ""
    after: str = ""  # the time since the moment before


def moments(entry: Entry) -> list[Moment]:
    """The timeline, oldest first."""
    found = [Moment(entry.joined_at, "Joined")]
    if entry.seen_at:
        found.append(Moment(entry.seen_at, "First look", "by the owner"))
    found += [Moment(event.at, event.get_kind_display(), event.words) for event in entry.events.all()[:MOST_EVENTS]]
    if entry.finished_at:
        reason = entry.get_reason_display() if entry.reason else ""
        found.append(Moment(entry.finished_at, entry.get_status_display(), reason))
    if entry.end_seen_at:
        found.append(Moment(entry.end_seen_at, "End seen", "by the owner"))
    if entry.erased_at:
        found.append(Moment(entry.erased_at, "Deleted", "name, options, input, result and errors"))
    if (successor := entry.followed_by) is not None:
        found.append(Moment(successor.joined_at, "Started again", f"as {successor.code}"))
    found.sort(key=lambda moment: moment.at)
    before = [entry.joined_at, *(moment.at for moment in found)]
    return [
        moment._replace(after="" if moment.at <= last else f"+{duration(moment.at - last)}")
        for last, moment in zip(before, found, strict=False)
    ]
