"""The last hour of each line beside the hour before: the cells of the board that change once a minute.

The numbers are those of the memory, as in the charts of a line's page, so that both say the same of the same hour.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from queueing import site_time
from queueing.admin.base import NOTHING, duration, two_lines
from queueing.admin.charts import polylines
from queueing.history.books import minute_of
from queueing.history.reading import Hour, Trend, trends
from queueing.tally import Tally, total

# Time after the end of a minute in which its numbers come into the memory (keeper/remembering.py).
SETTLED = timedelta(seconds=15)
SPARK_WIDTH, SPARK_HEIGHT = 60, 16
ALL = "all"  # the row of all lines together; there is none beside a line of that name
ALMOST = 0.05  # a difference of less than this share is none

COUNTS = {
    "joined": "Joined",
    "succeeded": "Served",
    "failed": "Failed",
    "gone": "Left",
}
HOUR = COUNTS | {"waste": "Waste"}
TREND = {"trend": "Present"}
# The lists of what the numbers count. Ended entries are kept for RESULT_TTL.
LISTS = {
    "joined": {"age": "1h"},
    "succeeded": {"status__exact": "succeeded", "ended": "1h"},
    "failed": {"status__exact": "failed", "ended": "1h"},
    "gone": {"status__in": "cancelled,abandoned", "ended": "1h"},
}


class Latest(NamedTuple):
    """The cells of all lines, and the minute at which they end."""

    version: str
    cells: dict[str, dict[str, str]]  # by line and name


def latest() -> Latest:
    """The cells as of the last whole minute. Each process makes them once a minute."""
    end = minute_of(site_time.now() - SETTLED)
    return _latest(end, tuple(settings.QUEUEING_TASKS))


@lru_cache(maxsize=1)
def _latest(end: datetime, queues: tuple[str, ...]) -> Latest:
    found = trends(end)
    cells = {queue: _cells(found[queue]) for queue in queues}
    if len(queues) > 1 and ALL not in queues:
        cells[ALL] = _cells(_sum(found))
    return Latest(f"{end:%H:%M}", cells)


def forget() -> None:
    """Make the cells anew at the next look."""
    _latest.cache_clear()


def urls(queue: str, *, may_look: bool) -> dict[str, str]:
    """The addresses of what the numbers of a line count; only staff who may see entries get to those."""
    page = reverse("admin:queueing_line_page", args=[queue])
    entries = reverse("admin:queueing_entry_changelist")
    found = {"waste": f"{page}#worth", "trend": f"{page}#length"}
    if may_look:
        found |= {name: f"{entries}?{urlencode({'queue': queue} | query)}" for name, query in LISTS.items()}
    return found


def _cells(trend: Trend) -> dict[str, str]:
    last, before = trend.last.tally, trend.before.tally
    is_known = before.samples > 0
    counts: dict[str, str] = {}
    for name in COUNTS:
        change = _direction(getattr(last, name), getattr(before, name) if is_known else None)
        counts[name] = format_html("{}{}", getattr(last, name), change)
    return counts | {"waste": _waste(last, before), "trend": _trend(trend)}


def _waste(last: Tally, before: Tally) -> str:
    """The time of the workers that was waste, and its share of all their time."""
    worked = last.waste + last.goodput
    if not worked:
        return NOTHING
    change = _direction(last.waste, before.waste if before.samples else None, words=duration)
    return two_lines(format_html("{}{}", f"{last.waste / worked:.0%}", change), duration(last.waste))


def _trend(trend: Trend) -> str:
    mean, before = trend.last.tally.mean("present"), trend.before.tally.mean("present")
    if mean is None:
        return NOTHING
    picture, change = sparkline(trend.last.present), _direction(mean, before, words=_rounded)
    number = format_html('<span class="mean">{}</span><span class="visually-hidden"> on average</span>', _rounded(mean))
    return format_html("{}{}{}", picture, number, change)


def _direction(number: float, before: float | None, words: Callable[[float], str] = str) -> SafeString:
    """An arrow, with words for those who do not see it. Nothing if the hour before is not known."""
    if before is None:
        return SafeString("")
    if abs(number - before) <= ALMOST * max(number, before):
        sign, change = "=", "about as much as in the hour before"
    else:
        sign, change = ("↑", "more") if number > before else ("↓", "less")
        change += " than in the hour before"
    return format_html(
        '<span class="direction" aria-hidden="true" title="{}">{}</span><span class="visually-hidden">, {}</span>',
        f"{words(before)} in the hour before",
        sign,
        f"{change} ({words(before)})",
    )


def _rounded(mean: float) -> str:
    return f"{mean:,.0f}" if mean >= 100 else f"{mean:.1f}"


def sparkline(values: list[int | None]) -> SafeString:
    """A small picture of these values, with gaps for those that are not known."""
    top = max((value for value in values if value is not None), default=0) or 1
    lines, dots = polylines(values, top, SPARK_WIDTH, SPARK_HEIGHT)
    return format_html(
        '<svg class="spark" viewBox="0 -1 {} {}" preserveAspectRatio="none" aria-hidden="true">{}{}</svg>',
        SPARK_WIDTH,
        SPARK_HEIGHT + 2,
        format_html_join("", '<polyline points="{}"/>', ((points,) for points in lines)),
        format_html_join("", '<circle cx="{}" cy="{}" r="1"/>', dots),
    )


def _sum(found: dict[str, Trend]) -> Trend:
    return Trend(_sum_hours([trend.last for trend in found.values()]), _sum_hours([t.before for t in found.values()]))


def _sum_hours(hours: list[Hour]) -> Hour:
    """The lines together. A minute is known if one of them is; the samples of a minute count as one."""
    present: list[int | None] = []
    for values in zip(*(hour.present for hour in hours), strict=True):
        known = [value for value in values if value is not None]
        present.append(sum(known) if known else None)
    summed = total(hour.tally for hour in hours)
    summed.samples = max(hour.tally.samples for hour in hours)
    return Hour(summed, present)
