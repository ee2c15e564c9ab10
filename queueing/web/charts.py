"""Charts as numbers for a template that draws them as SVG: points, a scale with round numbers, and a table."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from django.utils import timezone
from django.utils.formats import date_format

from queueing.history.reading import Span
from queueing.tally import Tally

WIDTH, HEIGHT = 600, 150  # of the field between the axes
STEPS = 4  # lines of the scale, at most
LABELS = 4  # moments named below the field

type Number = float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A chart before it has numbers: its series by name, each with its number of a span."""

    name: str
    title: str
    unit: str
    series: tuple[tuple[str, Callable[[Tally], Number]], ...]


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart."""

    name: str
    number: int  # from 1; the style sheet has a colour and a dash for each
    values: list[Number]
    lines: list[str]  # points of the parts between gaps, as in `<polyline points>`
    dots: list[tuple[float, float]]  # parts of one point alone


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of some spans."""

    plan: Plan
    series: list[Series]
    scale: list[tuple[float, str]]  # heights, and their numbers
    moments: list[tuple[float, str]]  # the same from left to right
    rows: list[tuple[str, list[str]]]  # the table: a moment, and its numbers

    @property
    def is_empty(self) -> bool:
        """True if no number is known."""
        return all(value is None for series in self.series for value in series.values)


PLANS = (
    Plan(
        "length", "In the line at the end of a minute", "entries",
        (("present", lambda t: t.mean("present")), ("held", lambda t: t.mean("held"))),
    ),
    Plan(
        "moves", "Joins and ends", "entries",
        (
            ("joined", lambda t: t.joined), ("served", lambda t: t.succeeded), ("left", lambda t: t.gone),
            ("failed", lambda t: t.failed),
        ),
    ),
    Plan(
        "waits", "Wait until the start", "seconds",
        (("half of them", lambda t: t.waits.quantile(0.5)), ("95 of 100", lambda t: t.waits.quantile(0.95))),
    ),
    Plan(
        "runs", "Time of a run", "seconds",
        (("half of them", lambda t: t.runs.quantile(0.5)), ("95 of 100", lambda t: t.runs.quantile(0.95))),
    ),
    Plan(
        "workers", "Workers at the end of a minute", "workers",
        (("running", lambda t: t.mean("running")), ("workers", lambda t: t.mean("workers"))),
    ),
    Plan(
        "worth", "Goodput and waste", "worker-seconds",
        (("goodput", lambda t: t.goodput), ("waste", lambda t: t.waste)),
    ),
)  # fmt: skip


def draw(plan: Plan, spans: Sequence[Span], moment_format: str) -> Chart:
    """The chart of these spans; times are told in this format of Django's."""
    columns = [[number_of(span.tally) for span in spans] for _, number_of in plan.series]
    top, step = scale_of(max((value or 0 for values in columns for value in values), default=0))
    series = [
        Series(name, number, values, *_lines(values, top))
        for number, ((name, _), values) in enumerate(zip(plan.series, columns, strict=True), 1)
    ]
    moments = [moment_of(span.at, moment_format) for span in spans]
    return Chart(
        plan=plan,
        series=series,
        scale=[(round(HEIGHT * (1 - number * step / top), 1), written(number * step)) for number in _steps(top, step)],
        moments=[(round(WIDTH * place / len(spans), 1), moments[place]) for place in _labelled(len(spans))],
        rows=[
            (moment, [written(value) for value in values])
            for moment, *values in zip(moments, *columns, strict=True)
            if any(value is not None for value in values)
        ],
    )


def scale_of(largest: float) -> tuple[float, float]:
    """The end of a scale that holds this number, and the distance of its lines: 1, 2 or 5 times a power of ten."""
    if largest <= 0:
        return 1.0, 1.0
    rough = largest / STEPS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return step * math.ceil(largest / step * (1 - 1e-9)), step


def written(value: Number) -> str:
    """A number with three digits that count; a dash for an unknown one."""
    if value is None:
        return "\N{EN DASH}"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def moment_of(at: datetime, moment_format: str) -> str:
    """The moment by the clock of the site."""
    return date_format(timezone.localtime(at), moment_format)


def _lines(values: Sequence[Number], top: float) -> tuple[list[str], list[tuple[float, float]]]:
    """The polylines between gaps, and the points that stand alone."""
    lines, dots = [], []
    numbered = enumerate(values)
    for is_known, part in groupby(numbered, key=lambda pair: pair[1] is not None):
        if not is_known:
            continue
        points = [_point(place, value or 0, len(values), top) for place, value in part]
        if len(points) == 1:
            dots += points
        else:
            lines.append(" ".join(f"{x},{y}" for x, y in points))
    return lines, dots


def _point(place: int, value: float, count: int, top: float) -> tuple[float, float]:
    return round(WIDTH * (place + 0.5) / count, 1), round(HEIGHT * (1 - value / top), 1)


def _steps(top: float, step: float) -> Iterator[int]:
    yield from range(round(top / step) + 1)


def _labelled(count: int) -> range:
    return range(0, count, max(1, count // LABELS))
