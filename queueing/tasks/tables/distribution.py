"""The facts about a column of numbers or dates: extremes, mean, quantiles, histogram."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from queueing.tasks.tables.loading import Table
from queueing.tasks.tables.moments import DateStyle
from queueing.tasks.tables.numeric import NumberStyle

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BINS = 24
DAY = 24 * 3600 * 10**6  # microseconds
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SORTED = 5_000_000  # numbers whose quantiles are exact: DuckDB holds all of them in memory for that
EXACT = 2**53  # beyond it a DOUBLE does not hold every whole number

type Say = Callable[[float], Any]
type Json = dict[str, Any]


def distributions(table: Table, styles: Mapping[int, NumberStyle | DateStyle]) -> dict[int, Json]:
    """The parts of profile.json that describe columns of numbers or dates. Dates are in ISO 8601.

    Reads the table "measured": numbers `x` of columns `col` with their counts `n`; see column.py.
    """
    spreads = _spreads(table)
    styled = {col: (spread, *_kind(styles[col], whole=spread.is_whole)) for col, spread in spreads.items()}
    ranges = {col: _bins(spread, unit) for col, (spread, _, unit, _) in styled.items()}
    counts = _histograms(table, ranges)
    found = {}
    for col, (spread, kind, unit, say) in styled.items():
        is_rounded = unit == 1 and max(-spread.low, spread.high) >= EXACT and _is_plain(styles[col])
        ends = _exact_ends(table, col, styles[col], spread) if is_rounded else _ends(spread, say)
        quantiles = {str(share): say(value) for share, value in zip(QUANTILES, spread.quantiles, strict=True)}
        found[col] = kind | {
            "readable": spread.count,
            "min": ends[0],
            "max": ends[1],
            "mean": say(spread.mean),
            "quantiles": quantiles,
            "histogram": _histogram(spread, ranges[col], counts.get(col, {}), say),
        }
        if spread.is_estimated:
            found[col]["quantiles_are_estimates"] = True
    return found


def _histogram(spread: "Spread", bins: "Bins", counts: Mapping[int, int], say: Say) -> Json:
    return {
        "from": say(bins.low),
        "to": say(bins.high),
        "counts": [counts.get(index, 0) for index in range(bins.number)],
        "first_holds_less": spread.low < bins.low,
        "last_holds_more": spread.high > bins.low + bins.number * bins.width,
    }


@dataclass(frozen=True, slots=True)
class Spread:
    """The numbers of one column."""

    count: int
    low: float
    high: float
    mean: float
    is_whole: bool
    quantiles: list[float]
    is_estimated: bool  # the quantiles are


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of a histogram: `number` of them, the first one from `low` on."""

    low: float
    high: float
    width: float
    number: int


def _is_plain(style: NumberStyle | DateStyle) -> bool:
    return isinstance(style, NumberStyle) and style.is_plain


def _spreads(table: Table) -> dict[int, Spread]:
    quantiles = "approx_quantile" if table.rows > SORTED else "quantile_cont"
    found = table.query(
        "SELECT col, sum(n)::BIGINT, min(x), max(x), fsum(x * n) / sum(n), bool_and(x = floor(x) AND isfinite(x)), "
        f"count(x), {quantiles}(x, {list(QUANTILES)}) FROM measured WHERE x IS NOT NULL GROUP BY col"
    )
    repeated = {col: count for col, count, *_, lines, _ in found if lines != count}
    weighted = _weighted_quantiles(table, repeated)
    return {
        col: Spread(count, low, high, mean, bool(whole), *_quantiles(table, weighted.get(col), some))
        for col, count, low, high, mean, whole, _, some in found
    }


def _quantiles(table: Table, weighted: list[float] | None, unweighted: list[float]) -> tuple[list[float], bool]:
    """The quantiles of a column, and whether they are estimates."""
    return (unweighted, table.rows > SORTED) if weighted is None else (weighted, False)


def _weighted_quantiles(table: Table, counts: Mapping[int, int]) -> dict[int, list[float]]:
    """The quantiles of columns whose values repeat, interpolated linearly between neighbours, as quantile_cont does.

    `counts` says how many numbers each of these columns has.
    """
    if not counts:
        return {}
    ranks = {col: [divmod((count - 1) * share, 1) for share in QUANTILES] for col, count in counts.items()}
    wanted = {
        (col, min(int(rank) + step, counts[col] - 1))
        for col, some in ranks.items()
        for rank, _ in some
        for step in (0, 1)
    }
    listed = ", ".join(f"({col}, {rank})" for col, rank in sorted(wanted))
    found = table.query(
        "WITH reached AS (SELECT col, x, n, sum(n) OVER (PARTITION BY col ORDER BY x ROWS UNBOUNDED PRECEDING) AS upto "
        f"FROM measured WHERE x IS NOT NULL AND col IN ({', '.join(map(str, counts))})) "
        f"SELECT col, rank, x FROM reached JOIN (VALUES {listed}) AS wanted(col, rank) USING (col) "
        "WHERE rank < upto AND rank >= upto - n"
    )
    at = {(col, int(rank)): float(x) for col, rank, x in found}
    return {
        col: [_between(at[col, int(rank)], at[col, min(int(rank) + 1, counts[col] - 1)], part) for rank, part in some]
        for col, some in ranks.items()
    }


def _between(below: float, above: float, part: float) -> float:
    return below if below == above else below + (above - below) * part


def _ends(spread: Spread, say: Say) -> tuple[Any, Any]:
    """The extremes as they are in the column: a number that is not whole keeps all of its digits."""
    low, high = spread.low, spread.high
    is_number = say is _number
    return (
        low if is_number and math.isfinite(low) and not low.is_integer() else say(low),
        high if is_number and math.isfinite(high) and not high.is_integer() else say(high),
    )


def _exact_ends(table: Table, col: int, style: NumberStyle | DateStyle, spread: Spread) -> tuple[Any, Any]:
    """The extremes of whole numbers that a DOUBLE rounds: from their texts, if those have no exponent."""
    number, is_read = "TRY_CAST(value AS HUGEINT)", f"({style.sql('value')}) IS NOT NULL"
    [found] = table.query(f"SELECT min({number}), max({number}) FROM present WHERE col = {col} AND {is_read}")
    rounded = (spread.low, spread.high)
    low, high = (
        text if text is not None and math.isclose(text, value) else _number(value)
        for text, value in zip(found, rounded, strict=True)
    )
    return low, high


def _histograms(table: Table, bins: Mapping[int, Bins]) -> dict[int, dict[int, int]]:
    """The counts of each column's bins, by their numbers. The ends hold what lies beyond them, too."""
    if not bins:
        return {}
    listed = ", ".join(f"({col}, {b.low!r}::DOUBLE, {b.width!r}::DOUBLE, {b.number})" for col, b in bins.items())
    found = table.query(
        "SELECT col, least(greatest(floor((x - low) / width), 0), number - 1)::INTEGER AS bin, sum(n)::BIGINT "
        f"FROM measured JOIN (VALUES {listed}) AS bins(col, low, width, number) USING (col) "
        "WHERE isfinite(x) GROUP BY ALL"
    )
    counts: dict[int, dict[int, int]] = {}
    for col, index, count in found:
        counts.setdefault(col, {})[index] = count
    return counts


def _bins(spread: Spread, unit: float) -> Bins:
    """At most BINS bins of equal width; with a unit, each bin holds the same number of whole units."""
    low, high = _range(spread)
    if not math.isfinite(high - low):
        return Bins(low, high, 1.0, 1)
    width = (high - low) / BINS
    if unit:
        low = math.floor(low / unit) * unit
        width = math.ceil(((high - low) / unit + 1) / BINS) * unit
    number = max(1, math.ceil((high - low + unit) / width)) if width else 1
    return Bins(low, high, width or 1.0, number)


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
    if style.type_name == "date":
        return facts, DAY, _day
    return facts, 0, partial(_moment if style.day else _time, timespec=style.timespec)


def _range(spread: Spread) -> tuple[float, float]:
    """The range of the histogram: all values, unless outliers would squeeze the others into a few bars."""
    low, high = spread.low, spread.high
    ends = [value for value in (low, spread.quantiles[0], spread.quantiles[-1], high) if math.isfinite(value)]
    if not ends:
        return 0.0, 0.0
    first, last = (spread.quantiles[0], spread.quantiles[-1])
    first, last = (first if math.isfinite(first) else ends[0]), (last if math.isfinite(last) else ends[-1])
    usual = last - first
    if math.isfinite(high - low) and (not usual or high - low < 5 * usual):
        return low, high
    return max(low, first - usual), min(high, last + usual)


def _number(value: float) -> int | float | str | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "infinite" if value > 0 else "minus infinite"
    return int(value) if value.is_integer() and abs(value) <= EXACT else float(f"{value:.12g}")


def _moment(value: float, *, timespec: str) -> str:
    moment = (EPOCH + timedelta(microseconds=value)).replace(tzinfo=None)
    return _without_zeros(moment.isoformat(sep=" ", timespec=timespec))


def _time(value: float, *, timespec: str) -> str:
    return _without_zeros((EPOCH + timedelta(microseconds=value)).time().isoformat(timespec=timespec))


def _without_zeros(text: str) -> str:
    """The time without zeros behind the decimal point."""
    return text.rstrip("0").removesuffix(".") if "." in text else text


def _day(value: float) -> str:
    return (EPOCH + timedelta(microseconds=value)).date().isoformat()
