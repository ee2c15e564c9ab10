"""The facts about a column of numbers or dates: extremes, mean, quantiles, histogram."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from queueing.tasks.tables.kinds import Dates, Numbers
from queueing.tasks.tables.sketches import Spread

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BINS = 24
DAY = 24 * 3600 * 1000  # milliseconds
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def distribution(reader: Numbers | Dates, spread: Spread) -> dict[str, Any]:
    """The part of profile.json that describes a column of numbers or dates. Dates are in ISO 8601."""
    kind, unit, say = _kind(reader, spread)
    quantiles = spread.quantiles(QUANTILES)
    return kind | {
        "readable": spread.n,
        "min": say(spread.low),
        "max": say(spread.high),
        "mean": say(spread.mean),
        "quantiles": {str(share): say(value) for share, value in zip(QUANTILES, quantiles, strict=True)},
        "quantiles_exact": spread.exact,
        "histogram": _histogram(spread, quantiles, unit, say),
    }


def _kind(reader: Numbers | Dates, spread: Spread) -> tuple[dict[str, str], float, Callable[[float], Any]]:
    """The type, the unit of the values (0 if they are continuous), and the function that formats a value.

    The unit is 1 for whole numbers and DAY for dates.
    """
    match reader:
        case Numbers():
            return {"type": "whole number" if spread.whole else "number"}, float(spread.whole), _number
        case Dates(has_time=True):
            timespec = "seconds" if "%S" in reader.format else "minutes"
            return {"type": "date and time", "written_as": reader.order}, 0, partial(_moment, timespec=timespec)
        case _:
            return {"type": "date", "written_as": reader.order}, DAY, _day


def _histogram(spread: Spread, quantiles: list[float], unit: float, say: Callable[[float], Any]) -> dict[str, Any]:
    """At most BINS bins of equal width; with a unit, each bin holds the same number of whole units."""
    low, high = _range(spread, quantiles)
    width = (high - low) / BINS
    if unit:
        low = math.floor(low / unit) * unit
        width = math.ceil(((high - low) / unit + 1) / BINS) * unit
    bins = max(1, math.ceil((high - low + unit) / width)) if width else 1
    return {
        "from": say(low),
        "to": say(high),
        "counts": spread.histogram(low, width or 1, bins),
        "first_holds_less": spread.low < low,
        "last_holds_more": spread.high > low + bins * width,
    }


def _range(spread: Spread, quantiles: list[float]) -> tuple[float, float]:
    """The range of the histogram: all values, unless outliers would squeeze the others into a few bars."""
    usual = quantiles[-1] - quantiles[0]
    if not usual or spread.high - spread.low < 5 * usual:
        return spread.low, spread.high
    return max(spread.low, quantiles[0] - usual), min(spread.high, quantiles[-1] + usual)


def _number(value: float) -> int | float | None:
    if not math.isfinite(value):  # the mean, when the sum overflowed float64
        return None
    return int(value) if value.is_integer() and abs(value) < 1e15 else float(f"{value:.12g}")


def _moment(value: float, *, timespec: str) -> str:
    return (EPOCH + timedelta(milliseconds=value)).replace(tzinfo=None).isoformat(sep=" ", timespec=timespec)


def _day(value: float) -> str:
    return (EPOCH + timedelta(milliseconds=value)).date().isoformat()
