"""One column: its values stream by, its facts stay."""

from collections import Counter
from typing import Any

import polars as pl

from queueing.tasks.tables.distribution import distribution
from queueing.tasks.tables.kinds import FALSE_AND_TRUE, MISSING, Dates, Numbers, date_format
from queueing.tasks.tables.sketches import Spread, Tally, count

ENOUGH = 0.95  # share of the values that must be numbers (dates) to make a column of numbers (dates)
TOP = 20  # frequent values in profile.json

type Json = dict[str, Any]


class Column:
    """Takes blocks of texts. Once there are more than `limit` different ones, numbers and dates are measured as
    they pass, and no more than their distribution is kept."""

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
        self.rows += len(values)
        counts = self._present(count(values))
        if counts.is_empty():
            return
        was_exact, before = self.tally.exact, self.tally.table
        self.tally.add(counts)
        if was_exact and not self.tally.exact:
            self._start_measuring(pl.concat([before, counts.select(before.columns)]))
        elif not self.tally.exact:
            self._measure(counts)

    def facts(self) -> Json:
        """What profile.json says of this column."""
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
            measured = self._kind(present)
            facts |= distribution(*measured) if measured else self._text()
            facts["top"] = [{"value": value, "count": n} for value, n in self.tally.top(TOP)]
        return facts

    def _present(self, counts: pl.DataFrame) -> pl.DataFrame:
        """The values that are none of the words for a missing one, which are counted."""
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
        """Measure all values so far; a kind that hardly any of them has is not looked for any more."""
        readers = [Numbers(self._decimal), date_format(counts["value"])]
        self._measures = [(reader, Spread(self.limit)) for reader in readers if reader]
        self._measure(counts)
        self._measures = [measure for measure in self._measures if measure[1].n * 2 >= counts["n"].sum()]

    def _measure(self, counts: pl.DataFrame) -> None:
        for reader, spread in self._measures:
            spread.add(reader.read(counts["value"]), counts["n"])

    def _kind(self, present: int) -> tuple[Numbers | Dates, Spread] | None:
        fitting = [measure for measure in self._measures if measure[1].n >= ENOUGH * present]
        return max(fitting, key=lambda measure: measure[1].n, default=None)

    def _text(self) -> Json:
        values = {value.lower() for value, _ in self.tally.top(5)}
        return {
            "type": "yes/no" if values in FALSE_AND_TRUE else "text",
            "shortest": self.lengths[0],
            "longest": self.lengths[1],
        }
