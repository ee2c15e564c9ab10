"""The board: the lines as they are now, for the start page of the admin and the page of the lines.

Page and refresh have the same cells, with the numbers of `stats.live_lines`.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse
from django.utils.html import escape

from queueing import eta, stats
from queueing.admin.base import clock, duration
from queueing.line.clients import RedisError
from queueing.roles import LOOK
from queueing.states import LineState
from queueing.stats import LineLive
from queueing.web.visitor import may, may_see_lines

LABELS = {
    "present": "Present",
    "held": "Held",
    "running": "Running",
    "oldest": "Oldest wait",
    "wait": "Expected wait",
    "workers": "Workers",
}


class Cell(NamedTuple):
    """One value of a row."""

    name: str
    label: str
    text: str
    url: str = ""  # the list of what a number counts


class Row(NamedTuple):
    """One line, or all of them."""

    queue: str
    cells: list[Cell]


def rows(*, with_links: bool = True) -> list[Row]:
    """The lines, and their sum if there are several. Raises RedisError. Links cost a fifth of the board."""
    lines = stats.live_lines()
    found = []
    for line in lines:
        texts = {
            "present": str(line.present),
            "held": str(line.held),
            "running": str(line.running),
            "oldest": duration(line.oldest_wait),
            "wait": _wait(line),
            "workers": _desks(line.busy, line.idle, state=line.state),
        }
        cells = [
            Cell(name, label, texts[name], _url(line.queue, name) if with_links else "")
            for name, label in LABELS.items()
        ]
        found.append(Row(line.queue, cells))
    return [*found, _sum(lines)] if len(found) > 1 else found


def parts(found: Iterable[Row]) -> dict[str, str]:
    """The HTML of each cell, by the name of its part."""
    return {f"{row.queue}:{cell.name}": escape(cell.text) for row in found for cell in row.cells}


def context(user: Any) -> dict[str, Any]:
    """The context of the board."""
    if not may_see_lines(user):
        return {}
    try:
        found, away = rows(), False
    except RedisError:
        found, away = [Row(queue, _unknown()) for queue in settings.QUEUEING_TASKS], True
    return {
        "rows": found,
        "away": away,
        "at": clock(),
        "labels": list(LABELS.values()),
        "may_look": may(user, LOOK),
        "is_allowed": True,
    }


def as_json() -> dict[str, Any]:
    """The board's refresh. While Redis is away, the page keeps what it shows and says since when that is old."""
    try:
        return {"parts": parts(rows(with_links=False)), "away": False, "at": clock()}
    except RedisError:
        return {"parts": {}, "away": True, "at": clock()}


def _wait(line: LineLive) -> str:
    if not line.has_epoch:
        return "Places are coming back"
    return eta.sentence(line.wait) or "unknown"


def _desks(busy: int, idle: int, *, state: LineState) -> str:
    told = f"{busy} busy, {idle} idle" if busy or idle else "none"
    return told if state == LineState.OPEN else f"{told}, {state.value}"


def _url(queue: str, name: str) -> str:
    if name == "workers":
        return reverse("admin:queueing_workers")
    query = {
        "present": {"queue": queue, "presence": "line"},
        "held": {"queue": queue, "presence": "held"},
        "running": {"queue": queue, "status__exact": "running"},
        "oldest": {"queue": queue, "status__exact": "waiting"},
    }.get(name)
    return f"{reverse('admin:queueing_entry_changelist')}?{urlencode(query)}" if query else ""


def _sum(lines: list[LineLive]) -> Row:
    sums = {
        "present": sum(line.present for line in lines),
        "held": sum(line.held for line in lines),
        "running": sum(line.running for line in lines),
    }
    return Row("all", [Cell(name, label, str(sums.get(name, ""))) for name, label in LABELS.items()])


def _unknown() -> list[Cell]:
    return [Cell(name, label, "unknown") for name, label in LABELS.items()]
