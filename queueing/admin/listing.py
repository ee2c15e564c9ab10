"""The newest entries of a filter in bounded time, however many rows there are and however few of them match.

Rows are looked at in windows of ids, newest first. What an index answers is quick in any window, so windows grow. What
none answers (a part of a file's name) costs a look at each row: then windows stay as they are, the look ends after
BUDGET, and the page offers to look further.
"""

import time
from collections.abc import Iterator
from typing import NamedTuple

from queueing.models import Entry, EntryQuerySet

FIRST_WINDOW, WINDOW_GROWTH = 2_000, 4  # ids
QUICK = 0.03  # seconds of a look at one window, after which the next one is larger
BUDGET = 0.3  # seconds


class Found(NamedTuple):
    """Rows of a filter, newest first."""

    rows: list[Entry]
    below: int | None  # further rows have smaller ids; None: there are none
    is_complete: bool  # False: the time was over before enough were found


class Number(NamedTuple):
    """How many rows a filter has."""

    value: int
    is_exact: bool  # False: there may be more

    def __str__(self) -> str:
        return f"{self.value:,}" if self.is_exact else f"at least {self.value:,}"


class Window(NamedTuple):
    """A range of ids: from `low` to below `high`."""

    low: int
    high: int
    is_last: bool


def newest(rows: EntryQuerySet, *, limit: int, below: int | None = None, budget: float = BUDGET) -> Found:
    """Up to `limit` of these rows, with ids smaller than `below`."""
    until = time.monotonic() + budget
    found: list[Entry] = []
    for window in _windows(below):
        found += _inside(rows, window).order_by("-pk")[: limit + 1 - len(found)]
        if len(found) > limit:
            return Found(found[:limit], found[limit - 1].pk, is_complete=True)
        if time.monotonic() >= until and not window.is_last:
            return Found(found, window.low, is_complete=False)
    return Found(found, None, is_complete=True)


def count(rows: EntryQuerySet, *, most: int = 10_000, budget: float = BUDGET) -> Number:
    """The number of these rows; `most` are counted."""
    until, total = time.monotonic() + budget, 0
    for window in _windows(None):
        total += _inside(rows, window).order_by()[: most + 1 - total].count()
        if total > most:
            return Number(most, is_exact=False)
        if time.monotonic() >= until and not window.is_last:
            return Number(total, is_exact=False)
    return Number(total, is_exact=True)


def _inside(rows: EntryQuerySet, window: Window) -> EntryQuerySet:
    return rows.filter(pk__gte=window.low, pk__lt=window.high)


def _windows(below: int | None) -> Iterator[Window]:
    """Windows, newest first, over all rows below this id. The next one is larger if the caller was quick."""
    ids = Entry.objects.order_by("pk").values_list("pk", flat=True)
    lowest, last = ids.first(), ids.last()
    if lowest is None or last is None:
        return
    high, size = min(below or last + 1, last + 1), FIRST_WINDOW
    while high > lowest:
        low, began = max(high - size, lowest), time.monotonic()
        yield Window(low, high, is_last=low == lowest)
        high = low
        if time.monotonic() - began < QUICK:
            size *= WINDOW_GROWTH
