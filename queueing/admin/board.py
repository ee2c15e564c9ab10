"""The board: the lines as they are now, for the start page of the admin and the page of the lines.

Page and refresh have the same cells. The numbers of all lines together take two queries, and one round trip to Redis
for each line and one for the workers.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Count, Min, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from queueing import eta
from queueing.admin.base import NOTHING, clock, duration
from queueing.facts import LineNow, line_now
from queueing.line.clients import RedisError
from queueing.line.workers import all_workers
from queueing.models import Entry
from queueing.roles import LOOK
from queueing.states import LineState
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
    queues = list(settings.QUEUEING_TASKS)
    lines = [line_now(queue) for queue in queues]
    running = dict(_grouped(Entry.objects.running(), Count("pk")))
    seen = Entry.objects.waiting().due().filter(Q(needs_presence=False) | Q(seen_at__isnull=False))
    oldest = dict(_grouped(seen, Min("joined_at")))
    busy, idle = _workers()
    now = timezone.now()
    found = []
    for line in lines:
        since = oldest.get(line.queue)
        texts = {
            "present": str(line.present),
            "held": str(line.held),
            "running": str(running.get(line.queue, 0)),
            "oldest": duration(now - since) if since else NOTHING,
            "wait": _wait(line),
            "workers": _desks(busy.get(line.queue, 0), idle.get(line.queue, 0), state=line.state),
        }
        cells = [
            Cell(name, label, texts[name], _url(line.queue, name) if with_links else "")
            for name, label in LABELS.items()
        ]
        found.append(Row(line.queue, cells))
    return [*found, _sum(lines, running)] if len(found) > 1 else found


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


def _grouped(entries: Any, value: Any) -> Any:
    return entries.order_by().values_list("queue").annotate(value=value)


def _workers() -> tuple[dict[str, int], dict[str, int]]:
    """The busy and the other live workers of each line. A worker counts for each of its lines."""
    busy: dict[str, int] = {}
    idle: dict[str, int] = {}
    for worker in all_workers():
        counts = busy if worker.is_busy else idle
        for queue in worker.lines:
            counts[queue] = counts.get(queue, 0) + 1
    return busy, idle


def _wait(line: LineNow) -> str:
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


def _sum(lines: list[LineNow], running: dict[str, int]) -> Row:
    sums = {
        "present": sum(line.present for line in lines),
        "held": sum(line.held for line in lines),
        "running": sum(running.get(line.queue, 0) for line in lines),
    }
    return Row("all", [Cell(name, label, str(sums.get(name, ""))) for name, label in LABELS.items()])


def _unknown() -> list[Cell]:
    return [Cell(name, label, "unknown") for name, label in LABELS.items()]
