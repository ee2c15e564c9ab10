"""The books of a line as its rows tell them, beside the minutes that the project has written."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Sum

from queueing.models import Entry, EntryEvent, LineMemory, LineMinute
from queueing.tally import Tally, total

Numbers = dict[tuple[str, datetime], Counter[str]]  # by line and minute
ANSWERS = ("unusable", "timeout", "crashed")


def of_minutes() -> Numbers:
    """The numbers in the minutes, without those that are 0 and without samples."""
    found: Numbers = {}
    for queue, at, tally in tallies():
        found.setdefault((queue, at), Counter()).update(numbers_of(tally))
    return {minute: numbers for minute, numbers in found.items() if numbers}


def tallies() -> list[tuple[str, datetime, Tally]]:
    """The rows of all minutes, and the open minutes."""
    opened = [(memory.queue, memory.open_at, memory.open_tally()) for memory in LineMemory.objects.all()]
    rows = [(row.line.queue, row.at, row.tally()) for row in LineMinute.objects.select_related("line")]
    return [(queue, at, tally) for queue, at, tally in (*rows, *opened) if at]


def sum_of_minutes() -> Tally:
    """All numbers of all minutes."""
    return total(tally for *_, tally in tallies())


def numbers_of(tally: Tally) -> Counter[str]:
    """The numbers of a tally that are not 0, without samples, and its sketches by their number of durations.

    Starts that were undone are left out: no row knows of them.
    """
    columns = {name: getattr(tally, name) for name in ("joined", "started", "succeeded", "failed", "gone")}
    sketches = {"waits": tally.waits.number, "runs": tally.runs.number}
    return Counter({name: n for name, n in (columns | sketches | tally.details).items() if n and name != "undone"})


def of_entries(entries: Iterable[Entry], deleted: Iterable[tuple[Entry, datetime]] = ()) -> Numbers:
    """The numbers as they must be when all of these entries are counted; some were deleted at a moment."""
    found: Numbers = {}
    for entry in entries:
        _tell(found, entry, None)
    for entry, at in deleted:
        _tell(found, entry, at)
    return found


def comings() -> tuple[int, int]:
    """The holds and returns in all timelines."""
    sums = dict(EntryEvent.objects.order_by().values_list("kind").annotate(Sum("times")))
    return sums.get("held", 0), sums.get("back", 0)


def _tell(found: Numbers, entry: Entry, deleted_at: datetime | None) -> None:
    _add(found, entry, entry.joined_at, joined=1)
    if entry.started_at:
        waited = _microseconds(max(entry.started_at - entry.joined_at, timedelta()))
        _add(found, entry, entry.started_at, started=1, waits=1, waited=waited)
    if entry.finished_at is None:
        return
    column = {"succeeded": "succeeded", "failed": "failed"}.get(entry.status, "gone")
    numbers = {column: 1, "waste_failed": _microseconds(entry.lost_time)}
    if entry.reason:
        numbers[entry.reason] = 1
    if column == "succeeded" and entry.run_time is not None:
        numbers |= {"runs": 1, "ran": _microseconds(entry.run_time)}
    ended_by_itself = entry.retries + (entry.run_time is not None and entry.reason != "orphaned")
    numbers["lost_attempts"] = entry.attempt - ended_by_itself
    numbers["passed_over"] = int(column == "gone" and not entry.attempt and entry.reason != "unseen")
    _add(found, entry, entry.finished_at, **numbers)
    name, at = _worth(entry, column, deleted_at)
    if at:
        _add(found, entry, at, **{name: _microseconds(entry.run_time)})


def _worth(entry: Entry, column: str, deleted_at: datetime | None) -> tuple[str, datetime | None]:
    """The share of the last attempt, and the moment when it was decided; None if it is not."""
    if column != "succeeded" and not (column == "failed" and entry.reason in ANSWERS):
        cause = {"failed": "failed", "cancelled": "stopped", "abandoned": "left"}[entry.status]
        return f"waste_{cause}", entry.finished_at
    if entry.visitor is not None and entry.needs_presence and entry.seen_at is None:
        return "waste_never_came", entry.finished_at
    if entry.visitor is None or entry.end_seen_at:
        return "goodput", entry.end_seen_at or entry.finished_at
    return "waste_never_seen", deleted_at


def _add(found: Numbers, entry: Entry, at: datetime, **numbers: int) -> None:
    added = Counter({name: number for name, number in numbers.items() if number})
    if added:
        found.setdefault((entry.queue, at.replace(second=0, microsecond=0)), Counter()).update(added)


def _microseconds(span: timedelta | None) -> int:
    return span // timedelta(microseconds=1) if span else 0
