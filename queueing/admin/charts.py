"""Charts as numbers for a template that draws them as SVG: points, a scale with round numbers, and a table."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby

from django.utils import timezone
from django.utils.formats import date_format

from queueing.history.reading import Span
from queueing.models import LineEvent
from queueing.states import Reason
from queueing.tally import Tally

WIDTH, HEIGHT = 600, 150  # of the field between the axes
STEPS = 4  # lines of the scale, at most
LABELS = 4  # moments named below the field
NEAR = 42  # marks that are nearer to each other are one: the room of its letters
MOST_LETTERS = 3  # of one mark

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


# The letters of the marks, in the charts and in the list below them.
LETTERS = {
    LineEvent.Kind.DEPLOYED: "D",
    LineEvent.Kind.PAUSED: "P",
    LineEvent.Kind.RESUMED: "R",
    LineEvent.Kind.CLOSED: "C",
    LineEvent.Kind.OPENED: "O",
    LineEvent.Kind.SUSPENDED: "P",
    LineEvent.Kind.UNSUSPENDED: "R",
    LineEvent.Kind.FLUSHED: "F",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """One event, or several near each other, as a line across a chart."""

    x: float
    letters: str
    words: str


@dataclass(frozen=True, slots=True)
class Past:
    """The spans of a period and its events, for all of its charts."""

    spans: Sequence[Span]
    events: Sequence[LineEvent]
    moment_format: str  # of Django's

    @property
    def first(self) -> datetime:
        return self.spans[0].at

    @property
    def length(self) -> timedelta:
        """The length of a span."""
        return self.spans[1].at - self.spans[0].at

    def moments(self) -> list[str]:
        """The beginning of each span by the clock of the site."""
        return [moment_of(span.at, self.moment_format) for span in self.spans]

    def happened(self) -> list[str]:
        """The events of each span in words."""
        words: list[list[str]] = [[] for _ in self.spans]
        for event in self.events:
            words[(event.at - self.first) // self.length].append(f"{moment_of(event.at, 'H:i')} {event.words}")
        return ["; ".join(some) for some in words]

    def marks(self) -> list[Mark]:
        """The events from left to right; those that would cover each other are one mark."""
        found: list[Mark] = []
        for event in self.events:
            x = round(WIDTH * ((event.at - self.first) / self.length) / len(self.spans), 1)
            letter, words = LETTERS[LineEvent.Kind(event.kind)], f"{moment_of(event.at, 'H:i')} {event.words}"
            if found and x - found[-1].x < NEAR:
                last = found.pop()
                x, letter, words = last.x, _joined(last.letters, letter), f"{last.words}; {words}"
            found.append(Mark(x, letter, words))
        return found


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of some spans."""

    plan: Plan
    series: list[Series]
    scale: list[tuple[float, str]]  # heights, and their numbers
    moments: list[tuple[float, str]]  # the same from left to right
    marks: list[Mark]
    rows: list[tuple[str, list[str], str]]  # the table: a moment, its numbers, and what happened

    @property
    def is_empty(self) -> bool:
        """True if no number is known."""
        return all(value is None for series in self.series for value in series.values)


# The ends of those who left, in few words for a legend.
CAUSES = {
    Reason.LEFT: "left by hand",
    Reason.CLOSED: "page closed",
    Reason.LOST: "connection lost",
    Reason.UNSEEN: "never looked",
    Reason.ENDED: "ended by staff",
}


def _known(tally: Tally, number: float) -> Number:
    """None where nobody looked: without a sample, no event means nothing."""
    return number if number or tally.samples else None


def _left_by(reason: Reason, tally: Tally) -> Number:
    return _known(tally, tally.details[reason])


PLANS = (
    Plan(
        "length", "In the line at the end of a minute", "entries",
        (("present", lambda t: t.mean("present")), ("held", lambda t: t.mean("held"))),
    ),
    Plan(
        "moves", "Joins and ends", "entries",
        (
            ("joined", lambda t: _known(t, t.joined)), ("served", lambda t: _known(t, t.succeeded)),
            ("left", lambda t: _known(t, t.gone)), ("failed", lambda t: _known(t, t.failed)),
        ),
    ),
    Plan(
        "causes", "Left by cause", "entries",
        tuple((words, partial(_left_by, reason)) for reason, words in CAUSES.items()),
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
        (("goodput", lambda t: _known(t, t.goodput)), ("waste", lambda t: _known(t, t.waste))),
    ),
)  # fmt: skip


def draw(plan: Plan, past: Past) -> Chart:
    """The chart of a past."""
    spans, moments = past.spans, past.moments()
    columns = [[number_of(span.tally) for span in spans] for _, number_of in plan.series]
    top, step = scale_of(max((value or 0 for values in columns for value in values), default=0))
    series = [
        Series(name, number, values, *polylines(values, top))
        for number, ((name, _), values) in enumerate(zip(plan.series, columns, strict=True), 1)
    ]
    return Chart(
        plan=plan,
        series=series,
        scale=[(round(HEIGHT * (1 - number * step / top), 1), written(number * step)) for number in _steps(top, step)],
        moments=[(round(WIDTH * place / len(spans), 1), moments[place]) for place in _labelled(len(spans))],
        marks=past.marks(),
        rows=[
            (moment, [written(value) for value in values], happened)
            for moment, happened, *values in zip(moments, past.happened(), *columns, strict=True)
            if happened or any(value is not None for value in values)
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


def polylines(
    values: Sequence[Number], top: float, width: float = WIDTH, height: float = HEIGHT
) -> tuple[list[str], list[tuple[float, float]]]:
    """The lines between gaps as `<polyline points>`, and the points that stand alone; `top` is the end of the scale."""
    lines, dots = [], []
    numbered = enumerate(values)
    for is_known, part in groupby(numbered, key=lambda pair: pair[1] is not None):
        if not is_known:
            continue
        points = [
            (round(width * (place + 0.5) / len(values), 1), round(height * (1 - (value or 0) / top), 1))
            for place, value in part
        ]
        if len(points) == 1:
            dots += points
        else:
            lines.append(" ".join(f"{x},{y}" for x, y in points))
    return lines, dots


def _joined(letters: str, letter: str) -> str:
    """The letters of a mark with one more; a plus stands for those that have no room."""
    if letter in letters or letters.endswith("+"):
        return letters
    return letters + (letter if len(letters) < MOST_LETTERS else "+")


def _steps(top: float, step: float) -> Iterator[int]:
    yield from range(round(top / step) + 1)


def _labelled(count: int) -> range:
    return range(0, count, max(1, count // LABELS))
