"""The newest entries of a filter in bounded time, however many rows there are and however few of them match.

Rows are looked at in windows of ids, newest first. What an index answers is quick in any window; what none answers (a
part of a file's name) costs a look at each row, so it ends after BUDGET, and the page offers to look further.
"""

import time
from typing import NamedTuple

from queueing.models import Entry, EntryQuerySet

FIRST_WINDOW, WINDOW_GROWTH, LARGEST_WINDOW = 2_000, 4, 50_000  # ids
BUDGET = 0.3  # seconds


class Found(NamedTuple):
    """Rows of a filter, newest first."""

    rows: list[Entry]
    below: int | None  # further rows have smaller ids; None: there are none
    is_complete: bool  # False: the time was over before enough were found


def newest(rows: EntryQuerySet, *, limit: int, below: int | None = None, budget: float = BUDGET) -> Found:
    """Up to `limit` of these rows, with ids smaller than `below`."""
    until = time.monotonic() + budget
    found: list[Entry] = []
    windows = _windows(below)
    for low, high in windows:
        in_window = rows.filter(pk__gte=low, pk__lt=high).order_by("-pk")
        found += in_window[: limit + 1 - len(found)]
        if len(found) > limit:
            return Found(found[:limit], found[limit - 1].pk, is_complete=True)
        if time.monotonic() >= until and low > windows[-1][0]:
            return Found(found, low, is_complete=False)
    return Found(found, None, is_complete=True)


class Number(NamedTuple):
    """How many rows a filter has."""

    value: int
    is_exact: bool  # False: there may be more

    def __str__(self) -> str:
        return f"{self.value:,}" if self.is_exact else f"at least {self.value:,}"


def count(rows: EntryQuerySet, *, most: int = 10_000, budget: float = BUDGET) -> Number:
    """The number of these rows; `most` are counted."""
    until, total, windows = time.monotonic() + budget, 0, _windows(None)
    for low, high in windows:
        total += rows.filter(pk__gte=low, pk__lt=high).order_by()[: most + 1 - total].count()
        if total > most:
            return Number(most, is_exact=False)
        if time.monotonic() >= until and low > windows[-1][0]:
            return Number(total, is_exact=False)
    return Number(total, is_exact=True)


def _windows(below: int | None) -> list[tuple[int, int]]:
    """Ranges of ids, newest first, that have all rows below this id."""
    ids = Entry.objects.order_by("pk").values_list("pk", flat=True)
    lowest, last = ids.first(), ids.last()
    if lowest is None or last is None:
        return []
    high, window, ranges = min(below or last + 1, last + 1), FIRST_WINDOW, []
    while high > lowest:
        ranges.append((max(high - window, lowest), high))
        high -= window
        window = min(window * WINDOW_GROWTH, LARGEST_WINDOW)
    return ranges
