"""Parts that the pages of the admin share."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from django.forms import Script
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.html import conditional_escape, format_html

from queueing import site_time

NOTHING = "–"  # noqa: RUF001  # a cell without a value


class Cell(NamedTuple):
    """One value of a row in a table that lives."""

    name: str
    label: str
    text: str  # HTML, if it is marked as safe
    url: str = ""  # the list of what a number counts


class Look:
    """The styles and the script of Django's own pages of our models."""

    class Media:
        css = {"all": ["queueing/admin/admin.css"]}
        js = [Script("queueing/admin/live.js", type="module")]


class Row(NamedTuple):
    """A row of a table that lives. Its first cell is its head."""

    key: str
    cells: list[Cell]
    values: Any = None  # for what is not in the cells


def live_rows(part: str, rows: Sequence[Row], **context: Any) -> dict[str, str]:
    """The parts of a table for `live.js`: the rows without their cells, and each cell by itself.

    While the rows are the same, their links and buttons stay where they are.
    """
    parts = {f"{row.key}:{cell.name}": str(conditional_escape(cell.text)) for row in rows for cell in row.cells}
    skeleton = render_to_string("admin/queueing/rows.html", context | {"rows": rows, "is_skeleton": True})
    return parts | {part: skeleton}


def two_lines(first: Any, second: Any) -> str:
    """A text with a smaller one below it."""
    return format_html("{}<small>{}</small>", first, second) if second else conditional_escape(first)


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
    return site_time.now().strftime("%H:%M:%S UTC")
