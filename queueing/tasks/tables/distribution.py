"""The facts about a column of numbers or dates: extremes, mean, quantiles, histogram."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from queueing.tasks.tables.loading import Table
from queueing.tasks.tables.moments import DateStyle
from queueing.tasks.tables.numeric import NumberStyle

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BINS = 24
DAY = 24 * 3600 * 1000  # milliseconds
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EXACT = 2**53  # beyond it a DOUBLE does not hold every whole number

type Say = Callable[[float], Any]
type Json = dict[str, Any]


def distribution(table: Table, style: NumberStyle | DateStyle) -> Json:
    """The part of profile.json that describes a column of numbers or dates. Dates are in ISO 8601.

    Reads the table "measured": numbers `x` with their counts `n`; see column.py.
    """
    [(readable, low, high, mean, is_whole)] = table.query(
        "SELECT sum(n)::BIGINT, min(x), max(x), fsum(x * n) / sum(n), bool_and(x = floor(x)) "
        "FROM measured WHERE x IS NOT NULL"
    )
    kind, unit, say = _kind(style, whole=bool(is_whole) and math.isfinite(low) and math.isfinite(high))
    quantiles = _quantiles(table, readable)
    return kind | {
        "readable": readable,
        "min": _exactly(table, "min", low, unit) if unit == 1 and max(-low, high) >= EXACT else say(low),
        "max": _exactly(table, "max", high, unit) if unit == 1 and max(-low, high) >= EXACT else say(high),
        "mean": say(mean),
        "quantiles": {str(share): say(value) for share, value in zip(QUANTILES, quantiles, strict=True)},
        "quantiles_exact": True,
        "histogram": _histogram(table, (low, high), quantiles, unit, say),
    }


def _kind(style: NumberStyle | DateStyle, *, whole: bool) -> tuple[Json, float, Say]:
    """The type, the unit of the values (0 if they are continuous), and the function that formats a value.

    The unit is 1 for whole numbers and DAY for dates.
    """
    if isinstance(style, NumberStyle):
        facts = {"type": "whole number" if whole else "number", "decimal": style.decimal}
        return facts | ({"unit": style.unit} if style.unit else {}), float(whole), _number
    facts = {"type": style.type_name, "written_as": style.written_as}
    if style.other:
        facts["dates_fit"] = "both"
    timespec = "seconds" if style.has_seconds else "minutes"
    if style.type_name == "date":
        return facts, DAY, _day
    return facts, 0, partial(_moment if style.day else _time, timespec=timespec)


def _quantiles(table: Table, count: int) -> list[float]:
    """The quantiles, interpolated linearly between neighbours, as numpy and DuckDB's quantile_cont do."""
    [(lines,)] = table.query("SELECT count(x) FROM measured")
    if lines == count:
        [(found,)] = table.query(f"SELECT quantile_cont(x, {list(QUANTILES)}) FROM measured")
        return [float(value) for value in found]
    ranks = [divmod((count - 1) * share, 1) for share in QUANTILES]
    wanted = sorted({int(rank) for rank, _ in ranks} | {min(int(rank) + 1, count - 1) for rank, _ in ranks})
    found = table.query(
        "WITH reached AS (SELECT x, sum(n) OVER (ORDER BY x ROWS UNBOUNDED PRECEDING) AS upto, n "
        "FROM measured WHERE x IS NOT NULL) "
        f"SELECT rank, x FROM reached JOIN (SELECT unnest({wanted}) AS rank) ON rank < upto AND rank >= upto - n"
    )
    at = {int(rank): float(x) for rank, x in found}
    return [_between(at[int(rank)], at[min(int(rank) + 1, count - 1)], part) for rank, part in ranks]


def _between(below: float, above: float, part: float) -> float:
    return below if below == above else below + (above - below) * part


def _exactly(table: Table, which: str, value: float, unit: float) -> int | float:
    """The extreme of whole numbers that a DOUBLE rounds: from their texts."""
    [(found,)] = table.query(f"SELECT {which}(TRY_CAST(value AS HUGEINT)) FROM present")
    return found if found is not None and math.isclose(found, value) else value


def _histogram(table: Table, ends: tuple[float, float], quantiles: list[float], unit: float, say: Say) -> Json:
    """At most BINS bins of equal width; with a unit, each bin holds the same number of whole units."""
    low, high = _range(ends, quantiles)
    width = (high - low) / BINS
    if unit:
        low = math.floor(low / unit) * unit
        width = math.ceil(((high - low) / unit + 1) / BINS) * unit
    bins = max(1, math.ceil((high - low + unit) / width)) if width else 1
    found = table.query(
        f"SELECT least(greatest(floor((x - {low!r}::DOUBLE) / {width or 1!r}::DOUBLE), 0), {bins - 1})::INTEGER, "
        "sum(n)::BIGINT FROM measured WHERE isfinite(x) GROUP BY 1"
    )
    by_bin = dict(found)
    return {
        "from": say(low),
        "to": say(high),
        "counts": [by_bin.get(index, 0) for index in range(bins)],
        "first_holds_less": ends[0] < low,
        "last_holds_more": ends[1] > low + bins * width,
    }


def _range(ends: tuple[float, float], quantiles: list[float]) -> tuple[float, float]:
    """The range of the histogram: all values, unless outliers would squeeze the others into a few bars."""
    low, high = ends
    first, last = (value if math.isfinite(value) else 0.0 for value in (quantiles[0], quantiles[-1]))
    usual = last - first
    if math.isfinite(low) and math.isfinite(high) and (not usual or high - low < 5 * usual):
        return low, high
    return max(low, first - usual), min(high, last + usual)


def _number(value: float) -> int | float | str | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "infinite" if value > 0 else "minus infinite"
    return int(value) if value.is_integer() and abs(value) <= EXACT else float(f"{value:.12g}")


def _moment(value: float, *, timespec: str) -> str:
    return (EPOCH + timedelta(milliseconds=value)).replace(tzinfo=None).isoformat(sep=" ", timespec=timespec)


def _time(value: float, *, timespec: str) -> str:
    return (EPOCH + timedelta(milliseconds=value)).time().isoformat(timespec=timespec)


def _day(value: float) -> str:
    return (EPOCH + timedelta(milliseconds=value)).date().isoformat()
