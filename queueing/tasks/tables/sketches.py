"""Summaries of a column's values in bounded memory: exact while small, then estimates with known errors."""

from collections.abc import Sequence

import polars as pl

TABLE = {"key": pl.UInt64, "value": pl.String, "n": pl.UInt64}
POINTS = {"x": pl.Float64, "n": pl.UInt64}
KEYS = 8192  # smallest hashes kept, to estimate the number of different values: 1.1 % standard error (1 / sqrt(KEYS))
FINE = 2_000  # points that stand for a block's numbers: per merge, a quantile is off by at most 0.05 % of the rows
SHOWN = 100  # characters kept of a value


def count(values: pl.Series) -> pl.DataFrame:
    """The different values of a block, stripped of white space, one row each.

    Columns: `key` (hash of the whole value), `value` (its first SHOWN characters), `n` (count), `length` (characters).
    """
    return (
        pl.select(value=values.str.strip_chars())
        .group_by("value")
        .len("n")
        .select(
            pl.col("value").hash(seed=1).alias("key"),
            pl.col("value").str.slice(0, SHOWN),
            pl.col("n").cast(pl.UInt64),
            pl.col("value").str.len_chars().alias("length"),
        )
    )


class Tally:
    """Counts how often each value occurs.

    Up to `limit` different values, all are kept and `exact` is True. Beyond that:
      - Only the frequent values are kept, and each count is too low by at most `error`. Algorithm: J. Misra, D. Gries,
        "Finding repeated elements", 1982; merged as in P. Agarwal et al., "Mergeable summaries", 2012.
      - The number of different values is estimated from the smallest hashes. Algorithm: Z. Bar-Yossef et al.,
        "Counting distinct elements in a data stream", 2002.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.exact = True
        self.error = 0
        self.table = pl.DataFrame(schema=TABLE)
        self._keys = pl.Series(dtype=pl.UInt64)

    def add(self, counts: pl.DataFrame) -> None:
        """Take in a block, as `count` returns it."""
        merged = pl.concat([self.table, counts.select(*TABLE)])
        merged = merged.group_by("key").agg(pl.col("value").first(), pl.col("n").sum())
        self.exact = self.exact and merged.height <= self.limit
        if not self.exact:
            self._keys = pl.concat([self._keys, merged["key"]]).unique().bottom_k(KEYS)
            merged = self._pruned(merged)
        # Copy the texts: polars shares text buffers, so a few short values would keep whole blocks in memory.
        self.table = merged.with_columns(pl.col("value") + "").rechunk()

    def _pruned(self, table: pl.DataFrame) -> pl.DataFrame:
        """At most `limit` values: each count is lowered by the largest count that has no place."""
        if table.height <= self.limit:
            return table
        least = int(table["n"].top_k(self.limit + 1).min())  # type: ignore[arg-type]  # the table is longer than `limit`
        self.error += least
        return table.filter(pl.col("n") > least).with_columns(pl.col("n") - least)

    def distinct(self) -> int:
        """The number of different values, exact or estimated."""
        if self.exact:
            return self.table.height
        if len(self._keys) < KEYS:
            return len(self._keys)
        largest = int(self._keys.max())  # type: ignore[arg-type]  # KEYS of them
        return round((len(self._keys) - 1) * 2**64 / largest)

    def top(self, number: int) -> list[tuple[str, int]]:
        """The `number` most frequent values with their counts.

        A count that does not exceed `error` is left out: such a value may be as rare as one that was dropped.
        """
        frequent = self.table.filter(pl.col("n") > self.error)
        rows = frequent.sort(["n", "value"], descending=[True, False]).head(number)
        return [(str(value), int(n)) for value, n in rows.select("value", "n").iter_rows()]


class Spread:
    """Count, sum, extremes and distribution of weighted numbers.

    The distribution is a table of points (number, weight). It is exact up to `limit` points. Beyond that, neighbouring
    points are joined into FINE points of about the same weight.
    """

    def __init__(self, limit: int) -> None:
        self.limit = max(limit, 2 * FINE)
        self.n = 0  # sum of the weights
        self.exact = True
        self.whole = True  # every number so far is whole
        self.total = 0.0  # sum of the numbers
        self.low = float("inf")
        self.high = float("-inf")
        self.points = pl.DataFrame(schema=POINTS)

    def add(self, x: pl.Series, n: pl.Series) -> None:
        """Take in the numbers `x` with the weights `n`; nulls are skipped."""
        points = pl.select(x=x, n=n).drop_nulls()
        if points.is_empty():
            return
        self.n += int(points["n"].sum())
        self.whole = self.whole and bool((points["x"] == points["x"].floor()).all())
        self.total += float((points["x"] * points["n"]).sum())
        self.low = min(self.low, points["x"].min())  # type: ignore[type-var, assignment]  # Float64, not empty
        self.high = max(self.high, points["x"].max())  # type: ignore[type-var, assignment]
        if not self.exact and points.height > FINE:
            points = _coarser(points)
        self.points = pl.concat([self.points, points])
        if self.points.height > self.limit:
            self.exact = False
            self.points = _coarser(self.points)

    @property
    def mean(self) -> float:
        return self.total / self.n

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """The quantiles for these shares (0..1), interpolated linearly between neighbours (numpy's default)."""
        points = self.points.sort("x")
        reached = points["n"].cum_sum()

        def at(rank: int) -> float:
            return float(points["x"][min(int(reached.search_sorted(rank, "right")), points.height - 1)])

        found = []
        for share in shares:
            rank, part = divmod((self.n - 1) * share, 1)
            below, above = at(int(rank)), at(min(int(rank) + 1, self.n - 1))
            found.append(below + (above - below) * part)
        return found

    def histogram(self, low: float, width: float, bins: int) -> list[int]:
        """The counts of `bins` bins of this width, the first one starting at `low`.

        Numbers below the first bin or above the last one count in that bin.
        """
        number = ((pl.col("x") - low) / width).floor().clip(0, bins - 1).cast(pl.Int64)
        counts = self.points.group_by(number.alias("bin")).agg(pl.col("n").sum())
        by_bin = dict(counts.iter_rows())
        return [int(by_bin.get(index, 0)) for index in range(bins)]


def _coarser(points: pl.DataFrame) -> pl.DataFrame:
    """FINE points at most, each the weighted mean of its neighbours. The sum of the weights stays the same."""
    middle = pl.col("n").cum_sum() - pl.col("n") / 2
    return (
        points.sort("x")
        .group_by((middle * FINE / pl.col("n").sum()).floor().alias("group"))
        .agg((pl.col("x") * pl.col("n")).sum() / pl.col("n").sum(), pl.col("n").sum())
        .select("x", "n")
    )
