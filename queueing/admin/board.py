"""The board: the lines as they are now and in the last hour, for the start page of the admin and the page of the lines.

The page of the lines has all groups of columns, the start page those without the counts of the last hour. Page and
refresh have the same cells. The numbers of now are those of `stats.live_lines`; those of the last hour are made once a
minute.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

from queueing import stats
from queueing.admin import trends
from queueing.admin.base import Cell, Row, clock, duration, two_lines
from queueing.line.clients import RedisError
from queueing.line.servers import are_several
from queueing.line.signs import is_keeper_alive
from queueing.line.workers import suspensions
from queueing.models import Line
from queueing.roles import LOOK
from queueing.states import LineState
from queueing.stats import LineLive
from queueing.web.sentences import time_of
from queueing.web.visitor import may, may_see_lines

NOW = {
    "state": "State",
    "present": "Present",
    "held": "Held",
    "running": "Running",
    "oldest": "Oldest wait",
    "wait": "Expected wait",
    "workers": "Workers",
}
GROUPS = {"Now": NOW, "Last hour": trends.HOUR, "Trend": trends.TREND}
SHORT_GROUPS = {"Now": NOW, "Last hour": trends.TREND}
STATES = {
    LineState.OPEN: "Open",
    LineState.CLOSED: "Closed",
    LineState.PAUSED: "Paused",
    LineState.STOPPED: "Stopped",
}
UNKNOWN, NO_NUMBER = "unknown", "?"  # while Redis is away
NOTHING_KNOWN = dict.fromkeys(NOW, NO_NUMBER) | {"state": UNKNOWN}
SILENT_KEEPER = (
    "The keeper gives no sign of life. Nobody is dropped, no entry comes back from a dead worker, expected waits "
    "become unknown, and the numbers of the last hour stand still."
)
SUSPENDED = (
    "All workers are told to take nothing, by rqsuspend: every line is paused, whatever its levers say. "
    "“manage.py rqresume” ends that."
)
SUSPENDED_SOME = (
    "All workers of {lines} are told to take nothing, by RQ: these lines are paused, whatever their levers say. "
    "“manage.py rqresume” ends that."
)
# Where lines have a Redis of their own.
LINES_AWAY = (
    "The Redis of {lines} does not answer: nobody joins there, and nothing is started. No place is lost, and the other "
    "lines go on."
)
SHARED_AWAY = "The Redis of REDIS_URL does not answer: nobody joins any line, and pages ask by polls."
NOTICES = "site:notices"  # the name of their part, which is empty as long as all is as usual


def now_of(queues: Iterable[str]) -> dict[str, dict[str, str]]:
    """The texts of these lines as they are now, and of their sum if there are several.

    Nothing is known of a line whose own Redis is away. Raises RedisError if that of all is.
    """
    queues = list(queues)
    lines = stats.live_lines(queues)
    known = {
        line.queue: {
            "state": _state(line),
            "present": str(line.present),
            "held": str(line.held),
            "running": str(line.running),
            "oldest": duration(line.oldest_wait),
            "wait": line.wait_in_words,
            "workers": _desks(line),
        }
        for line in lines
    }
    found = {queue: known.get(queue, NOTHING_KNOWN) for queue in queues}
    is_sum_known = len(known) == len(queues)
    return found | ({trends.ALL: _sum(lines, is_sum_known)} if len(queues) > 1 and trends.ALL not in found else {})


def notices() -> str:
    """The sentences about the site that no number shows. Raises RedisError if that of no line answers."""
    told = suspensions()
    away = [queue for queue in settings.QUEUEING_TASKS if queue not in told]
    lost = LINES_AWAY.format(lines=", ".join(away)) if away else ""
    return " ".join(filter(None, (_of_keeper(), lost, suspended(told))))


def suspended(told: dict[str, bool]) -> str:
    """The sentence about RQ's word to all workers, by line; empty if there is none."""
    lines = [queue for queue, is_told in told.items() if is_told]
    if not lines or len(lines) == len(settings.QUEUEING_TASKS):
        return SUSPENDED if lines else ""
    return SUSPENDED_SOME.format(lines=", ".join(lines))


def _of_keeper() -> str:
    try:
        return "" if is_keeper_alive() else SILENT_KEEPER
    except RedisError:
        if not are_several():
            raise
        return SHARED_AWAY


def parts(found: dict[str, dict[str, str]]) -> dict[str, str]:
    """The HTML of each cell, by the name of its part."""
    return {
        f"{queue}:{name}": conditional_escape(text) for queue, texts in found.items() for name, text in texts.items()
    }


def context(user: Any, *, is_full: bool = False) -> dict[str, Any]:
    """The context of the board."""
    if not may_see_lines(user):
        return {}
    try:
        found, said, away = now_of(settings.QUEUEING_TASKS), notices(), False
    except RedisError:
        found = dict.fromkeys(settings.QUEUEING_TASKS, NOTHING_KNOWN)
        said, away = "", True
    hour, may_look = trends.latest(), may(user, LOOK)
    groups = GROUPS if is_full else SHORT_GROUPS
    return {
        "rows": _rows(found, hour, groups, may_look=may_look),
        "may_look": may_look,
        "notices": said,
        "away": away,
        "at": clock(),
        "have": hour.version,
        "groups": groups,
        "is_full": is_full,
        "is_allowed": True,
    }


def as_json(have: str = "", *, is_full: bool = False) -> dict[str, Any]:
    """The board's refresh. While Redis is away, the page keeps what it shows and says since when that is old.

    The cells of the last hour come only if the page does not have them: `have` is the version that it has.
    """
    try:
        found = parts(now_of(settings.QUEUEING_TASKS)) | {NOTICES: notices()}
    except RedisError:
        return {"parts": {}, "away": True, "at": clock()}
    hour = trends.latest()
    if hour.version != have:
        names = trends.HOUR | trends.TREND if is_full else trends.TREND
        found |= parts({queue: {name: cells[name] for name in names} for queue, cells in hour.cells.items()})
    return {"parts": found, "away": False, "at": clock(), "have": hour.version}


def urls(queue: str, *, may_look: bool) -> dict[str, str]:
    """The addresses of what the numbers of a line count now."""
    page = reverse("admin:queueing_line_page", args=[queue])
    found = {
        "oldest": f"{page}#line",
        "wait": f"{page}#waits",
        "workers": f"{reverse('admin:queueing_workers')}?{urlencode({'queue': queue})}",
    }
    if may_look:
        entries = reverse("admin:queueing_entry_changelist")
        lists = {
            "present": {"presence": "line"},
            "held": {"presence": "held"},
            "running": {"status__exact": "running"},
        }
        found |= {name: f"{entries}?{urlencode({'queue': queue} | query)}" for name, query in lists.items()}
    return found


def _rows(
    found: dict[str, dict[str, str]], hour: trends.Latest, groups: dict[str, dict[str, str]], *, may_look: bool
) -> list[Row]:
    levers = dict(Line.objects.filter(queue__in=found).values_list("queue", "pk"))
    made = []
    for queue, texts in found.items():
        links: dict[str, str] = {}
        if queue in settings.QUEUEING_TASKS:
            links = urls(queue, may_look=may_look) | trends.urls(queue, may_look=may_look)
            if queue in levers:
                links["state"] = reverse("admin:queueing_line_change", args=[levers[queue]])
        values = texts | hour.cells.get(queue, {})
        cells = [
            Cell(name, label if group is NOW else f"{label} (1 h)", values[name], links.get(name, ""))
            for group in groups.values()
            for name, label in group.items()
        ]
        made.append(Row(queue, cells))
    return made


def _state(line: LineLive) -> SafeString:
    """The state in one word; what is not usual has a colour, too."""
    text = STATES[line.state]
    if line.suspended and not line.levers.is_paused:
        text += ", all workers"
    if line.levers.draining:
        text += ", draining"
    elif line.levers.emptied_at:  # an entry that code made may have come since
        is_empty = not (line.present or line.held or line.running)
        text += f", {'empty since' if is_empty else 'was empty at'} {_clock(line.levers.emptied_at)}"
    return format_html('<span class="state {}">{}</span>', line.state.value, text)


def _clock(seconds: float) -> str:
    return time_of(datetime.fromtimestamp(seconds, UTC))


def _desks(line: LineLive) -> str:
    """The live workers. Quiet ones are said only if there are any."""
    if not (line.busy or line.idle or line.quiet):
        return "none"
    return two_lines(f"{line.busy} busy", f"{line.idle} idle" + (f", {line.quiet} quiet" if line.quiet else ""))


def _sum(lines: list[LineLive], is_known: bool) -> dict[str, str]:
    """The sum of all lines; not known if one of them is not."""
    sums = {
        "present": sum(line.present for line in lines),
        "held": sum(line.held for line in lines),
        "running": sum(line.running for line in lines),
    }
    return {name: str(sums.get(name, "")) if is_known else NO_NUMBER for name in NOW}
