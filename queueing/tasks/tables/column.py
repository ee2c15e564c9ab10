"""One column: takes its values block by block and returns the facts about them."""

from collections import Counter
from typing import Any

import polars as pl

from queueing.tasks.tables.distribution import distribution
from queueing.tasks.tables.kinds import FALSE_AND_TRUE, MISSING, Dates, Numbers, date_format
from queueing.tasks.tables.sketches import Spread, Tally, count

ENOUGH = 0.95  # least share of readable values in a column of numbers, or of dates
TOP = 20  # frequent values listed in profile.json

type Json = dict[str, Any]


class Column:
    """The running summary of one column. `decimal` is the decimal mark of its numbers.

    Up to `limit` different values are kept with their counts, and are read as numbers or dates only in `facts`.
    Beyond that limit, each block is read as it passes, and only the distribution of its numbers or dates is kept.
    """

    def __init__(self, name: str, *, decimal: str, limit: int) -> None:
        self.name = name
        self.limit = limit
        self.rows = 0
        self.missing = 0
        self.missing_words: Counter[str] = Counter()
        self.lengths = (10**9, 0)  # characters of the shortest and longest value
        self.tally = Tally(limit)
        self._decimal = decimal
        self._measures: list[tuple[Numbers | Dates, Spread]] = []

    def add(self, values: pl.Series) -> None:
        """Take in the next block of texts."""
        self.rows += len(values)
        counts = self._without_missing(count(values))
        if counts.is_empty():
            return
        was_exact, before = self.tally.exact, self.tally.table
        self.tally.add(counts)
        if was_exact and not self.tally.exact:
            self._start_measuring(pl.concat([before, counts.select(before.columns)]))
        elif not self.tally.exact:
            self._measure(counts)

    def facts(self) -> Json:
        """The entry of this column in profile.json. Call it after the last block."""
        if self.tally.exact and self.tally.table.height:
            self._start_measuring(self.tally.table)
        present = self.rows - self.missing
        facts: Json = {
            "name": self.name,
            "type": "empty",
            "rows": self.rows,
            "missing": self.missing,
            "missing_written_as": dict(self.missing_words),
            "distinct": self.tally.distinct(),
            "exact": self.tally.exact,
        }
        if present:
            measured = self._best_measure(present)
            facts |= distribution(*measured) if measured else self._text()
            facts["top"] = [{"value": value, "count": n} for value, n in self.tally.top(TOP)]
        return facts

    def _without_missing(self, counts: pl.DataFrame) -> pl.DataFrame:
        """Count the missing values and the words written for them; return the other values."""
        missing = pl.col("value").is_in(["", *MISSING])
        for word, n in counts.filter(missing).select("value", "n").iter_rows():
            self.missing += n
            if word:
                self.missing_words[word] += n
        present = counts.filter(~missing)
        if present.height:
            shortest, longest = present.select(pl.col("length").min(), pl.col("length").max().alias("max")).row(0)
            self.lengths = (min(self.lengths[0], shortest), max(self.lengths[1], longest))
        return present

    def _start_measuring(self, counts: pl.DataFrame) -> None:
        """Measure all values so far as numbers and as dates; drop a kind that fits fewer than half of them."""
        readers = [Numbers(self._decimal), date_format(counts["value"])]
        self._measures = [(reader, Spread(self.limit)) for reader in readers if reader]
        self._measure(counts)
        self._measures = [measure for measure in self._measures if measure[1].n * 2 >= counts["n"].sum()]

    def _measure(self, counts: pl.DataFrame) -> None:
        for reader, spread in self._measures:
            spread.add(reader.read(counts["value"]), counts["n"])

    def _best_measure(self, present: int) -> tuple[Numbers | Dates, Spread] | None:
        """The reader of this column's values with their distribution; None if the column is text."""
        fitting = [measure for measure in self._measures if measure[1].n >= ENOUGH * present]
        return max(fitting, key=lambda measure: measure[1].n, default=None)

    def _text(self) -> Json:
        values = {value.lower() for value, _ in self.tally.top(5)}
        return {
            "type": "yes/no" if values in FALSE_AND_TRUE else "text",
            "shortest": self.lengths[0],
            "longest": self.lengths[1],
        }
