"""The different values of columns, and how often each occurs.

The view "found" holds the texts of some columns (`col`, `value`) with their counts (`n`), the view "present" those of
them that are values. So each value is read once, however often it occurs.

A column of many rows whose values hardly repeat is not counted so, because that costs more than all the rest: there
"found" has a line for each row. The number of its different values is estimated from a part of them that their hashes
choose: all rows of a value are in the part, or none is. Everything else about the column stays exact.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from queueing.tasks.tables.column import TOP, Column
from queueing.tasks.tables.loading import BLANKS, LONG_TABLE, Table
from queueing.tasks.tables.numeric import quoted

# Words for "no value" in every column: those of pandas.read_csv, and PostgreSQL's. Blank cells are missing, too.
MISSING = (
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL",
    "NaN", "None", "n/a", "nan", "null", "\\N",
)  # fmt: skip
# Whether a text begins or ends with one of BLANKS: they sort before "!" or beyond ASCII. The first part is cheap,
# and true of few texts beyond those.
AT_ITS_ENDS = (
    "(value NOT BETWEEN '!' AND '\x7f' OR value[-1] NOT BETWEEN '!' AND '\x7f') AND "
    f"(value[1] IN ({', '.join(map(quoted, BLANKS))}) OR value[-1] IN ({', '.join(map(quoted, BLANKS))}))"
)
TRIMMED = f"trim(value, {quoted(BLANKS)})"
SAMPLE = 300  # values that the choice of a style looks at: the most frequent ones
BLOCKS, BLOCK = 10, 2048  # rows looked at to tell whether the values of a column repeat: blocks far from each other
HARDLY = 0.9  # least share of different values among them, if values hardly repeat
OFTEN = 3  # times that a frequent value occurs there
PART = 100_000  # rows of the part, if all values are different; but a sixteenth of them at least
MANY = 100_000  # different values; fewer are counted exactly


class Values:
    """The views "found" and "present" of some columns of a table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._query = table.query
        self.is_estimated = False  # "found" has a line for each row, of one column

    def collect(self, columns: Mapping[int, Column]) -> None:
        """Make the views for these columns, and count their values."""
        numbers = list(columns)
        self.is_estimated = len(numbers) == 1 and self._table.rows >= LONG_TABLE and self._estimate(columns[numbers[0]])
        if not self.is_estimated:
            self._find_each(numbers)
            self._count(columns)
        if any(column.present < column.rows for column in columns.values()):
            counted = f"SELECT col, value, sum(n)::BIGINT AS n FROM found WHERE {_is_one_of(MISSING)} GROUP BY ALL"
            self._count_missing(columns, counted)
        else:
            self._query("CREATE OR REPLACE TEMP VIEW present AS FROM found")  # no text has to be tested again

    def leave_out(self, columns: Mapping[int, Column]) -> None:
        """Take the columns' own words for "no value" out of their values."""
        own = {number: column.missing_words for number, column in columns.items() if column.missing_words}
        if not own:
            return
        is_word = " OR ".join(
            f"(col = {number} AND value IN ({', '.join(map(quoted, words))}))" for number, words in own.items()
        )
        counted = f"SELECT col, value, sum(n)::BIGINT AS n FROM present WHERE {is_word} GROUP BY ALL"
        for number, n in self._count_missing(columns, counted):
            columns[number].present -= n
            columns[number].distinct -= 1
        self._show_present(f"NOT ({is_word})")

    def _count_missing(self, columns: Mapping[int, Column], counted: str) -> list[tuple[int, int]]:
        """Note the words for "no value"; returns the column and the count of each."""
        found = self._query(f"{counted} ORDER BY n DESC, value")
        for number, word, n in found:
            columns[number].missing[word] = n
        return [(number, n) for number, _, n in found]

    def _find_each(self, numbers: Sequence[int]) -> None:
        """Make "found" of all different texts, without the blanks around them."""
        texts = [f"coalesce(c{number}, '')" for number in numbers]
        if len(numbers) == 1:  # without the column's number among the keys, which costs a third
            counted = f"SELECT {texts[0]} AS value, count(*)::BIGINT AS n FROM cells GROUP BY 1"
            found = f"SELECT {numbers[0]} AS col, value, n FROM ({counted})"
        else:
            cells = f"SELECT unnest({numbers}) AS col, unnest([{', '.join(texts)}]) AS value FROM cells"
            found = f"SELECT col, value, count(*)::BIGINT AS n FROM ({cells}) GROUP BY ALL"
        self._query(f"CREATE OR REPLACE TEMP TABLE counted AS {found}")
        if self._query(f"SELECT 1 FROM counted WHERE value > '' AND {AT_ITS_ENDS} LIMIT 1"):
            trimmed = f"SELECT col, {TRIMMED} AS value, sum(n)::BIGINT AS n FROM counted GROUP BY ALL"
            self._query(f"CREATE OR REPLACE TEMP TABLE trimmed AS {trimmed}")
            self._show("trimmed")
        else:
            self._show("counted")

    def _show(self, texts: str) -> None:
        """Make the views of these texts."""
        self._query(f"CREATE OR REPLACE TEMP VIEW found AS FROM {texts}")
        self._show_present("true")

    def _show_present(self, condition: str) -> None:
        present = f"value NOT IN ('', {', '.join(map(quoted, MISSING))}) AND {condition}"
        self._query(f"CREATE OR REPLACE TEMP VIEW present AS SELECT * FROM found WHERE {present}")

    def _count(self, columns: Mapping[int, Column]) -> None:
        found = self._query(
            "SELECT col, sum(n)::BIGINT, count(*), min(length(value)), max(length(value)), "
            f"{_sampled()} FROM present GROUP BY col"
        )
        for number, present, distinct, shortest, longest, values, counts in found:
            column = columns[number]
            column.present, column.distinct, column.shortest, column.longest = present, distinct, shortest, longest
            column.frequent = sorted(zip(values, counts, strict=True), key=lambda item: (-item[1], item[0]))
            column.sample = values

    # Columns whose values hardly repeat

    def _estimate(self, column: Column) -> bool:
        """Make the views of a column and count its values, if they hardly repeat; else return False."""
        repeated = self._repeated(column.number)
        if repeated is None:
            return False
        line = f"SELECT {column.number} AS col, coalesce(c{column.number}, '') AS value, 1::BIGINT AS n FROM cells"
        self._query(f"CREATE OR REPLACE TEMP VIEW lines AS {line}")
        self._show("lines")
        counts = "count(*), min(length(value)), max(length(value))"
        blank = f"count(CASE WHEN {AT_ITS_ENDS} THEN 1 END)"  # FILTER would cost twice as much
        [(*counted, blanks)] = self._query(f"SELECT {counts}, {blank} FROM present")
        if blanks:
            self._query(f"CREATE OR REPLACE TEMP TABLE trimmed AS SELECT col, {TRIMMED} AS value, n FROM lines")
            self._show("trimmed")
            [(*counted,)] = self._query(f"SELECT {counts} FROM present")
        column.present, column.shortest, column.longest = counted
        return self._count_part(column, self._counted(repeated))

    def _count_part(self, column: Column, frequent: list[tuple[str, int]]) -> bool:
        """Estimate the number of different values from a part of them. False if there are not many."""
        others = f"NOT ({_is_one_of(value for value, _ in frequent)}) AND" if frequent else ""
        of = max(self._table.rows // PART, 16)
        part = f"SELECT value, count(*) AS n FROM present WHERE {others} hash(value) % {of} = 0 GROUP BY 1"
        [(different, lines, sample, _)] = self._query(f"SELECT count(*), sum(n)::BIGINT, {_sampled()} FROM ({part})")
        if different * of < MANY:
            return False
        rest = column.present - sum(n for _, n in frequent)
        column.distinct = len(frequent) + round(rest * different / lines)
        column.is_estimated = True
        column.frequent = frequent
        column.sample = [*(value for value, _ in frequent), *sample][:SAMPLE]
        return True

    def _repeated(self, number: int) -> list[str] | None:
        """The few values that occur OFTEN in some rows of the column; None if others repeat, too."""
        step = self._table.rows // BLOCKS
        some = f"SELECT c{number} AS value FROM cells WHERE c{number} > '' AND rowid % {step} < {BLOCK}"
        counted = f"SELECT value, count(*) AS n FROM ({some}) GROUP BY 1"
        often = f"max(value, {TOP + 1}) FILTER (n >= {OFTEN})"
        seldom = f"count(*) FILTER (n < {OFTEN}), sum(n) FILTER (n < {OFTEN})"
        [(lines, different, rest, repeated)] = self._query(f"SELECT sum(n), {seldom}, {often} FROM ({counted})")
        values = [text.strip(BLANKS) for text in repeated or []]
        hardly = different and different >= HARDLY * rest and rest * 2 > lines and len(values) <= TOP
        return [value for value in values if value] if hardly else None

    def _counted(self, values: Sequence[str]) -> list[tuple[str, int]]:
        if not values:
            return []
        counts = f"SELECT value, count(*)::BIGINT FROM present WHERE {_is_one_of(values)} GROUP BY 1"
        return [(value, n) for value, n in self._query(f"{counts} ORDER BY 2 DESC, 1")]


def _is_one_of(values: Any) -> str:
    return f"value IN ({', '.join(map(quoted, values))})"


def _sampled() -> str:
    """The columns of a query for the most frequent values, and their counts.

    Of equally frequent values, the hash takes some: so they are neither the first nor the last of an order.
    """
    return f"min_by(value, hash(value) / 18446744073709551616.0 - n, {SAMPLE}), max(n, {SAMPLE})"
