"""What is kept of a column while its values stream by: exact while that is small, then estimates with known errors."""

from collections.abc import Sequence

import polars as pl

TABLE = {"key": pl.UInt64, "value": pl.String, "n": pl.UInt64}
POINTS = {"x": pl.Float64, "n": pl.UInt64}
KEYS = 8192  # smallest hashes kept to estimate how many different values there are: 1.1 % standard error
FINE = 2_000  # points that stand for a block's numbers: a quantile is off by 0.05 % of the rows at most, per merge
SHOWN = 100  # characters kept of a value


def count(values: pl.Series) -> pl.DataFrame:
    """The different values of a block, each with a hash, its beginning, its length and its count."""
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
    """How often each value occurs: all of them up to `limit` different values, then the frequent ones.

    Then a count is too low by at most `error` (J. Misra, D. Gries, "Finding repeated elements", 1982; merged as in
    P. Agarwal et al., "Mergeable summaries", 2012), and the number of different values comes from the smallest
    hashes (Z. Bar-Yossef et al., "Counting distinct elements in a data stream", 2002).
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.exact = True
        self.error = 0
        self.table = pl.DataFrame(schema=TABLE)
        self._keys = pl.Series(dtype=pl.UInt64)

    def add(self, counts: pl.DataFrame) -> None:
        merged = pl.concat([self.table, counts.select(*TABLE)])
        merged = merged.group_by("key").agg(pl.col("value").first(), pl.col("n").sum())
        self.exact = self.exact and merged.height <= self.limit
        if not self.exact:
            self._keys = pl.concat([self._keys, merged["key"]]).unique().bottom_k(KEYS)
            merged = self._pruned(merged)
        # Polars shares text buffers: without this copy a few short values would keep whole blocks in memory.
        self.table = merged.with_columns(pl.col("value") + "").rechunk()

    def _pruned(self, table: pl.DataFrame) -> pl.DataFrame:
        if table.height <= self.limit:
            return table
        least = int(table["n"].top_k(self.limit + 1).min())  # type: ignore[arg-type]  # there are that many
        self.error += least
        return table.filter(pl.col("n") > least).with_columns(pl.col("n") - least)

    def distinct(self) -> int:
        if self.exact:
            return self.table.height
        if len(self._keys) < KEYS:
            return len(self._keys)
        largest = int(self._keys.max())  # type: ignore[arg-type]  # there are many
        return round((len(self._keys) - 1) * 2**64 / largest)

    def top(self, number: int) -> list[tuple[str, int]]:
        """The most frequent values with their counts, without those that an estimate cannot tell from rare ones."""
        frequent = self.table.filter(pl.col("n") > self.error)
        rows = frequent.sort(["n", "value"], descending=[True, False]).head(number)
        return [(str(value), int(n)) for value, n in rows.select("value", "n").iter_rows()]


class Spread:
    """Count, sum, extremes and distribution of numbers that come with weights.

    The distribution is a list of points (number, weight), exact until there are more than `limit`. Then it becomes
    coarser: neighbours are joined into FINE points of about the same weight.
    """

    def __init__(self, limit: int) -> None:
        self.limit = max(limit, 2 * FINE)
        self.n = 0
        self.exact = True
        self.whole = True  # no number has a fraction
        self.total = 0.0
        self.low = float("inf")
        self.high = float("-inf")
        self.points = pl.DataFrame(schema=POINTS)

    def add(self, x: pl.Series, n: pl.Series) -> None:
        """Take in numbers; null is not one."""
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
        """By linear interpolation between neighbours, as numpy does."""
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
        """Counts per bin; what lies beyond the ends counts in the first or last one."""
        number = ((pl.col("x") - low) / width).floor().clip(0, bins - 1).cast(pl.Int64)
        counts = self.points.group_by(number.alias("bin")).agg(pl.col("n").sum())
        by_bin = dict(counts.iter_rows())
        return [int(by_bin.get(index, 0)) for index in range(bins)]


def _coarser(points: pl.DataFrame) -> pl.DataFrame:
    middle = pl.col("n").cum_sum() - pl.col("n") / 2
    return (
        points.sort("x")
        .group_by((middle * FINE / pl.col("n").sum()).floor().alias("group"))
        .agg((pl.col("x") * pl.col("n")).sum() / pl.col("n").sum(), pl.col("n").sum())
        .select("x", "n")
    )
