"""The past of a line: charts of the last hour, day and 30 days, each with its table, and all numbers as rows."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.template.loader import render_to_string
from django.utils import timezone

from queueing import site_time
from queueing.admin import charts
from queueing.admin.charts import Past
from queueing.history import marks, reading
from queueing.history.books import hour_of, minute_of
from queueing.history.reading import Span
from queueing.models import LineEvent
from queueing.states import Reason
from queueing.tally import DETAILS, TIMES, total

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


def context(queue: str, key: str) -> dict[str, Any]:
    """The charts of a period, what left and failed in it by reason, and what happened."""
    period = PERIODS[key]
    past = read(queue, period)
    ended = total(span.tally for span in past.spans)
    return {
        "period": period,
        "key": key,
        "periods": [(key, one.title) for key, one in PERIODS.items()],
        "charts": [charts.draw(plan, past) for plan in charts.PLANS],
        "reasons": [(reason.label, ended.details[reason]) for reason in Reason if ended.details[reason]],
        "events": [(charts.LETTERS[LineEvent.Kind(event.kind)], event) for event in reversed(past.events)],
        "zone": timezone.get_current_timezone_name(),
    }


def parts(queue: str, key: str) -> dict[str, str]:
    """The same as parts for `live.js`. A table that is folded out stays so."""
    found = context(queue, key)
    html: dict[str, str] = {
        name: render_to_string(f"admin/queueing/{name}.html", found) for name in ("reasons", "events")
    }
    for chart in found["charts"]:
        for part, template in (("chart", "chart.html"), ("rows", "chart_rows.html")):
            html[f"{part}-{chart.plan.name}"] = render_to_string(f"admin/queueing/{template}", {"chart": chart})
    return html


def rows(queue: str, key: str) -> list[dict[str, Any]]:
    """The numbers of all charts and more, one row a span; None for unknown ones."""
    past = read(queue, PERIODS[key])
    return [
        _numbers(span, past.length) | {"happened": happened}
        for span, happened in zip(past.spans, past.happened(), strict=True)
    ]


def read(queue: str, period: Period, now: datetime | None = None) -> Past:
    """The spans and events of a period; the last span goes on."""
    end = minute_of(now or site_time.now()) + timedelta(minutes=1)
    if period.length > timedelta(minutes=1):
        # In UTC, since a day on which the clocks change has 23 or 25 hours, and all spans have the same length.
        day = hour_of(timezone.localtime(end)).replace(hour=0).astimezone(UTC)
        end = day + period.length * (-(-(end - day) // period.length))
    first = end - period.number * period.length
    spans = reading.spans(queue, first, period.length, period.number)
    return Past(spans, marks.read(queue, first, end), period.moment_format)


def _numbers(span: Span, length: timedelta) -> dict[str, Any]:
    tally = span.tally
    found: dict[str, Any] = {"from": span.at.isoformat(), "seconds": round(length.total_seconds())}
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
