"""The kinds of crowds. All durations are seconds."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

type Law = Callable[[random.Random], float]


@dataclass(frozen=True)
class Kind:
    """The visitors of one line."""

    size: int  # visitors
    arrivals: float  # per second, on average; Poisson
    run: Law
    batch: int = 1  # visitors who come at the same moment
    patience: float = math.inf  # mean wait after which a visitor closes the page; exponential
    absences: float = 0.0  # lost connections, per second and visitor
    returns: float = 0.7  # share of the absent who come back, after 30 s on average
    progress: bool = True  # whether the task reports it
    typical: float | None = None  # what the task declares


@dataclass(frozen=True)
class Crowd:
    """A crowd: its lines, and the lines that each worker serves."""

    lines: dict[str, Kind]
    workers: Sequence[tuple[str, ...]]
    deaths: float = 0.0  # of workers, per second; a dead worker is back after a minute
    warm_up: float = 0.15  # share of each line's visitors whose ranges do not count: little is known before them

    def scaled(self, share: float) -> "Crowd":
        """The same crowd with fewer visitors."""
        lines = {name: replace(kind, size=round(kind.size * share)) for name, kind in self.lines.items()}
        return replace(self, lines=lines)


def gamma(mean: float, shape: float) -> Law:
    """Runs whose coefficient of variation is 1 / sqrt(shape)."""
    return lambda chance: chance.gammavariate(shape, mean / shape)


def log_normal(mean: float, sigma: float) -> Law:
    """Runs with a heavy tail."""
    center = math.log(mean) - sigma**2 / 2
    return lambda chance: chance.lognormvariate(center, sigma)


def one_line(size: int, load: float, run: Law, *, workers: int = 2, **more: float) -> Crowd:
    """A line with workers of its own, and runs of a minute on average."""
    crowd = {name: more.pop(name) for name in ("deaths",) if name in more}
    return Crowd({"one": Kind(size, load * workers / 60, run, **more)}, [("one",)] * workers, **crowd)  # type: ignore[arg-type]


CROWDS = {
    "one line": one_line(150, 0.95, gamma(60, 2)),
    "two lines that share workers": Crowd(
        {"short": Kind(240, 0.45 * 2 / 20, gamma(20, 2)), "long": Kind(40, 0.45 * 2 / 120, gamma(120, 2))},
        [("short", "long"), ("long", "short")],
    ),
    "bursts": one_line(150, 0.7, gamma(60, 3), batch=12),
    "heavy tails": one_line(150, 0.95, log_normal(60, 1.2)),
    "heavy tails without progress": one_line(150, 0.95, log_normal(60, 1.0), workers=3, progress=False),
    "a worker dies": one_line(150, 0.9, gamma(60, 2), workers=3, deaths=1 / 600),
    "impatient": one_line(180, 1.6, gamma(60, 1), patience=240),
    "patient": one_line(150, 1.1, gamma(60, 2), patience=3600, absences=1 / 600),
}
