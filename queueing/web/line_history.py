"""One line's page for staff: charts of the last hour, day and 30 days, each with its table, and all numbers as CSV."""

import csv
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from queueing.history import reading
from queueing.history.books import hour_of, minute_of
from queueing.history.reading import Span
from queueing.registry import get_task
from queueing.states import Reason
from queueing.tally import DETAILS, TIMES, total
from queueing.web import charts
from queueing.web.visitor import may_see_lines

QUANTILES = (50, 95)


class Period(NamedTuple):
    """A time that is looked back on."""

    title: str
    length: timedelta  # of one span
    number: int  # of spans
    of_span: str  # in words
    moment_format: str


PERIODS = {
    "hour": Period("The last hour", timedelta(minutes=1), 60, "minute", "H:i"),
    "day": Period("The last day", timedelta(minutes=15), 96, "quarter of an hour", "H:i"),
    "month": Period("The last 30 days", timedelta(hours=6), 120, "six hours", "j M, H:i"),
}


@require_safe
def page(request: HttpRequest, name: str) -> HttpResponse:
    """The charts of a line."""
    key, period = _asked(request, name)
    spans = read(name, period)
    ended = total(span.tally for span in spans)
    context: dict[str, Any] = admin.site.each_context(request) | {
        "title": f"{get_task(name).title}: {period.title.lower()}",
        "queue": name,
        "period": period,
        "key": key,
        "periods": [(key, one.title) for key, one in PERIODS.items()],
        "charts": [charts.draw(plan, spans, period.moment_format) for plan in charts.PLANS],
        "reasons": [(reason.label, ended.details[reason]) for reason in Reason if ended.details[reason]],
        "zone": timezone.get_current_timezone_name(),
    }
    return TemplateResponse(request, "admin/queueing/line_history.html", context)


@require_safe
def numbers(request: HttpRequest, name: str) -> HttpResponse:
    """The numbers of all charts and more as CSV, one row a span; unknown ones are empty."""
    key, period = _asked(request, name)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}-{key}.csv"'
    rows = [_numbers(span, period) for span in read(name, period)]
    writer = csv.DictWriter(response, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return response


def read(queue: str, period: Period, now: datetime | None = None) -> list[Span]:
    """The spans of a period; the last one goes on."""
    end = minute_of(now or timezone.now()) + timedelta(minutes=1)
    if period.length > timedelta(minutes=1):
        day = hour_of(timezone.localtime(end)).replace(hour=0)
        end = day + period.length * (-(-(end - day) // period.length))
    return reading.spans(queue, end - period.number * period.length, period.length, period.number)


def _asked(request: HttpRequest, name: str) -> tuple[str, Period]:
    if not may_see_lines(request.user):
        raise PermissionDenied
    key = request.GET.get("period", "hour")
    if name not in settings.QUEUEING_TASKS or key not in PERIODS:
        raise Http404
    return key, PERIODS[key]


def _numbers(span: Span, period: Period) -> dict[str, Any]:
    tally = span.tally
    found: dict[str, Any] = {"from": span.at.isoformat(), "seconds": round(period.length.total_seconds())}
    found |= {name: getattr(tally, name) for name in ("joined", "started", "succeeded", "failed", "gone")}
    for name in DETAILS:
        is_time = name in TIMES
        found[f"{name}_seconds" if is_time else name] = tally.details[name] / (1e6 if is_time else 1)
    for name, sketch in (("wait", tally.waits), ("run", tally.runs)):
        for percent in QUANTILES:
            value = sketch.quantile(percent / 100)
            found[f"{name}_p{percent}_seconds"] = None if value is None else round(value, 3)
    means = {name: tally.mean(name) for name in ("present", "held", "running", "workers")}
    return found | {f"{name}_mean": None if mean is None else round(mean, 2) for name, mean in means.items()}
