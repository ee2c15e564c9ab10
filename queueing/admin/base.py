"""Parts that the pages of the admin share."""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

NOTHING = "–"  # noqa: RUF001  # a cell without a value


class ReadOnly:
    """Rows are made by visitors and moved by workers; a form here would overwrite what they do."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def duration(seconds: float | timedelta | None) -> str:
    """A duration in two units at most, for narrow columns: 4.2 s, 3 min 5 s, 2 h 10 min, 3 d 4 h."""
    if seconds is None:
        return NOTHING
    if isinstance(seconds, timedelta):
        seconds = seconds.total_seconds()
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    for size, unit, smaller, small_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit} {rest} {small_unit}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"


def clock() -> str:
    """The time of day, as the panels show it."""
    return timezone.now().strftime("%H:%M:%S UTC")
