"""What a visitor is told about an entry: the same facts and sentences for the page, the socket and the poll."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.urls import reverse

from queueing import eta
from queueing.conf import conf
from queueing.keys import RedisError
from queueing.line import get_line
from queueing.models import Entry
from queueing.states import Reason, Status
from queueing.stats import Facts, parse_facts


class Place(NamedTuple):
    """Where an entry stands: how many are ahead of it, present and held."""

    ahead: int
    held_ahead: int


class Snapshot(NamedTuple):
    """One moment of an entry. The first block is the contract of status.json, the second ready-made sentences.

    A tuple: thousands of pages are told theirs each second, and a frozen dataclass takes five times as long to make.
    """

    status: str
    position: int | None
    ahead: int | None
    held_ahead: int | None
    keep_seconds: float | None  # how long the place is kept in an absence that begins now
    eta_seconds: tuple[float, float] | None
    progress: float | None
    message: str
    result_url: str | None

    headline: str
    detail: str
    wait: str
    title: str
    reason: str

    kept_until: datetime | None  # for the page only

    def as_json(self) -> dict[str, Any]:
        return dict(zip(JSON_FIELDS, self, strict=False))


JSON_FIELDS = Snapshot._fields[: Snapshot._fields.index("kept_until")]

# What the visitor reads when it is over, by reason.
SENTENCES = {
    Reason.LEFT: "You left the line. Nothing more is done with your input.",
    Reason.ENDED: "The people who run this site ended it. Nothing more is done with your input.",
    Reason.CLOSED: "This page was closed for longer than your place is kept.",
    Reason.LOST: "The connection was lost for longer than your place is kept.",
}
REDIS_AWAY = "The queue cannot be reached for the moment. Your place is stored, and nothing is lost."
NO_WORKER = "No worker is there at the moment. Your place is kept, and the line goes on by itself."
# Redis was emptied, or could not be reached at the join: the keeper gives the place that the row says.
NO_PLACE = "Your place is stored; its number will follow."


def of(entry: Entry) -> Snapshot:
    """The whole state from the row and, while it waits, its place."""
    if entry.status != Status.WAITING:
        return build(entry, None, Facts())
    try:
        standing, claimed, facts = get_line(entry.queue).standing(entry.job_id, entry.score)
    except RedisError:
        return build(entry, None, Facts())._replace(detail=REDIS_AWAY)
    return build(entry, Place(*standing) if standing else None, parse_facts(facts), claimed=claimed)


def page(entry: Entry, now: Snapshot | None = None) -> dict[str, Any]:
    """What the entry's page, and its partial on the socket, are rendered from."""
    done, now = entry.status == Status.SUCCEEDED, now or of(entry)
    return {
        "entry": entry,
        "task": entry.heavy_task,
        "snapshot": now,
        "state": json.dumps(now.as_json()),
        "result": entry.result if done else None,
        "files": {file.name: file for file in entry.files.all()} if done else {},
        "keep_minutes": round(conf.KEEP_GRACE / 60),
    }


def build(entry: Entry, place: Place | None, facts: Facts, *, claimed: bool = False) -> Snapshot:
    """Pure: the row's facts, its place or claim, and the line's facts as one snapshot."""
    wait = facts.wait(place.ahead) if place else None
    return Snapshot(
        status=entry.status,
        position=place.ahead + 1 if place else None,
        ahead=place.ahead if place else None,
        held_ahead=place.held_ahead if place else None,
        keep_seconds=max(conf.LOST_GRACE, entry.keep_seconds or 0) if entry.is_live else None,
        eta_seconds=(round(wait[0], 1), round(wait[1], 1)) if wait else None,
        progress=entry.progress if entry.status == Status.RUNNING else None,
        message=entry.message,
        result_url=reverse("queueing:result", args=[entry.code]) if entry.status == Status.SUCCEEDED else None,
        headline=_headline(entry, place, claimed=claimed),
        detail=_detail(entry, place, facts, claimed=claimed),
        wait=_wait(entry, wait, facts, claimed=claimed),
        title=_title(entry, place),
        reason=entry.reason,
        kept_until=entry.finished_at + timedelta(seconds=conf.RESULT_TTL) if entry.finished_at else None,
    )


def _headline(entry: Entry, place: Place | None, *, claimed: bool = False) -> str:
    match entry.status:
        case Status.WAITING:
            if place is None:
                return "Your turn is coming up" if claimed else "Waiting"
            return "You are next" if place.ahead == 0 else f"{ordinal(place.ahead + 1)} in line"
        case Status.RUNNING:
            return entry.message or f"{entry.heavy_task.verb}…"
        case Status.SUCCEEDED:
            return "Here is your result"
        case Status.FAILED:
            return "This did not work"
        case Status.CANCELLED:
            if entry.reason == Reason.ENDED:
                return "Your place was ended" if entry.attempt == 0 else "Stopped"
            return "You left the line" if entry.attempt == 0 else "Stopped"
        case _:
            return "Your place has passed"


def _detail(entry: Entry, place: Place | None, facts: Facts, *, claimed: bool) -> str:
    if entry.status == Status.RUNNING:
        again = " The machine that worked on it stopped, so it began again." if entry.attempt > 1 else ""
        return f"It is your turn.{again}"
    if entry.status != Status.WAITING:
        return entry.message or SENTENCES.get(Reason(entry.reason), "")
    if place is None:
        return "A worker is taking it up." if claimed else NO_PLACE
    parts = [f"{place.ahead} ahead of you" if place.ahead else "Nobody is ahead of you"]
    if place.held_ahead:
        parts.append(f"{place.held_ahead} more may return")
    serve = ""
    if facts.workers:
        serve = f" {facts.workers} {'worker serves' if facts.workers == 1 else 'workers serve'} this line."
    again = " The machine working on it stopped; you are back in your place." if entry.reason == Reason.ORPHANED else ""
    return f"{', '.join(parts)}.{serve}{again}"


def _wait(entry: Entry, wait: Sequence[float] | None, facts: Facts, *, claimed: bool) -> str:
    if entry.status != Status.WAITING or claimed:
        return ""
    if facts.workers == 0:
        return NO_WORKER
    known = eta.sentence((wait[0], wait[1]) if wait else None)
    return f"Expected wait: {known}." if known else "The wait is not known yet."


def _title(entry: Entry, place: Place | None) -> str:
    match entry.status:
        case Status.WAITING:
            return f"({place.ahead + 1}) {entry.heavy_task.title}" if place else entry.heavy_task.title
        case Status.RUNNING:
            done = f"{entry.progress:.0%} " if entry.progress else ""
            return f"{done}{entry.heavy_task.title}"
        case Status.SUCCEEDED:
            return f"✓ {entry.heavy_task.title}"
        case _:
            return f"{_headline(entry, place)} · {entry.heavy_task.title}"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 11th."""
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
