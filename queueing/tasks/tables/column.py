"""Columns: decides how the values of each are written, and states the facts about them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from queueing.tasks.tables import moments, numeric
from queueing.tasks.tables.choices import AUTO, DECIMAL_MARKS, Choices
from queueing.tasks.tables.distribution import distributions
from queueing.tasks.tables.loading import BLANKS, Table
from queueing.tasks.tables.moments import DateStyle
from queueing.tasks.tables.numeric import NumberStyle, quoted

ENOUGH = 0.95  # least share of readable values in a column of numbers, or of dates
TOP = 20  # frequent values listed in profile.json
# Whether a text begins or ends with one of BLANKS: all but the last of them sort before "!".
AT_ITS_ENDS = f"value < '!' OR value[-1] < '!' OR value[1] = {quoted(BLANKS[-1])} OR value[-1] = {quoted(BLANKS[-1])}"
SHOWN = 100  # characters kept of a value
SAMPLE, UNREAD = 300, 100  # values looked at: the most frequent ones, and those that did not fit
UNREAD_AT_MOST = 1_000  # values that did not fit, fetched
TURNS = 4  # times that the style is chosen anew, with values that did not fit

# Words for "no value" in every column: those of pandas.read_csv, and PostgreSQL's. Blank cells are missing, too.
MISSING = (
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL",
    "NaN", "None", "n/a", "nan", "null", "\\N",
)  # fmt: skip
PRESENT = f"value NOT IN ('', {', '.join(map(quoted, MISSING))})"
# Words that mean "no value" in a column of numbers or dates, however many there are. Any other word means it there if
# it is the only one that repeats.
LIKELY = {
    "-", "--", "---", "\u2013", "\u2014", ".", "..", "...", "?", "*", "**", "***", "x", "n.a.", "n.d.", "n/d",
    "na", "nil", "null", "none", "missing", "unknown", "not available", "k.a.", "s.o.", "#div/0!", "#value!",
    "#ref!", "#null!", "#num!", "#name?", "0000-00-00", "0001-01-01", "0001-01-01 00:00:00",
    "0001-01-01t00:00:00", "0000-00-00 00:00:00", "00/00/0000", "00.00.0000", "tbd", "tba", "(null)",
    "undefined",
}  # fmt: skip
FALSE_AND_TRUE = ({"no", "yes"}, {"false", "true"}, {"n", "y"}, {"f", "t"})

type Json = dict[str, Any]
type Style = NumberStyle | DateStyle


@dataclass(slots=True)
class Column:
    """One column: the counts of its values, how they were read, and in the end the facts about them."""

    number: int  # of the column; the first one is 0
    name: str
    rows: int = 0
    present: int = 0  # rows with a value
    distinct: int = 0  # different values, without those for "no value"
    shortest: int = 0  # characters
    longest: int = 0
    missing: dict[str, int] = field(default_factory=dict)  # words for "no value", with their counts
    frequent: list[tuple[str, int]] = field(default_factory=list)  # the most frequent values, with their counts
    sample: list[str] = field(default_factory=list)  # the values that the choice of a style looks at
    style: Style | None = None  # None: text
    missing_words: list[str] = field(default_factory=list)  # those of this column alone
    facts: Json = field(default_factory=dict)


class Describer:
    """Describes columns of one table, as many at once as have few cells: a statement costs as much as 10,000 cells.

    The table "found" holds the different texts of each column (`col`, `value`) with their counts (`n`), the view
    "present" those that are values, and the table "measured" the numbers that the columns' styles read. So each value
    is read once, however often it occurs, and all figures are exact.
    """

    def __init__(self, table: Table, choices: Choices) -> None:
        self._table = table
        self._chosen = DECIMAL_MARKS.get(choices.decimal, "")
        self._first = "" if choices.dates == AUTO else choices.dates
        self._measured: dict[int, Style] = {}  # the columns in "measured", and how they were read

    def describe(self, numbers: Sequence[int], *, usual: str = "") -> list[Column]:
        """The facts about some columns. `usual` is the decimal mark that other columns of the table prove."""
        names = self._table.dialect.names
        columns = {number: Column(number, names[number]) for number in numbers}
        self._collect(numbers)
        self._count(columns)
        self._choose_styles([column for column in columns.values() if column.present], usual)
        self._leave_out(columns)
        measured = [column for column in columns.values() if column.style is not None]
        found = self._measure(measured) if measured else {}
        for column in columns.values():
            column.facts = _facts(column, found.get(column.number, {}))
        return list(columns.values())

    def _query(self, sql: str) -> list[tuple[Any, ...]]:
        return self._table.query(sql)

    def _collect(self, numbers: Sequence[int]) -> None:
        """Make the tables of the columns' values, without the blanks around them."""
        self._measured = {}
        texts = [f"coalesce(c{number}, '')" for number in numbers]
        if len(numbers) == 1:  # without the column's number among the keys, which costs a third
            counted = f"SELECT {texts[0]} AS value, count(*)::BIGINT AS n FROM cells GROUP BY 1"
            found = f"SELECT {numbers[0]} AS col, value, n FROM ({counted})"
        else:
            cells = f"SELECT unnest({list(numbers)}) AS col, unnest([{', '.join(texts)}]) AS value FROM cells"
            found = f"SELECT col, value, count(*)::BIGINT AS n FROM ({cells}) GROUP BY ALL"
        self._query(f"CREATE OR REPLACE TEMP TABLE found AS {found}")
        if self._query(f"SELECT 1 FROM found WHERE value > '' AND ({AT_ITS_ENDS}) LIMIT 1"):
            again = f"SELECT col, trim(value, {quoted(BLANKS)}) AS value, sum(n)::BIGINT AS n FROM found GROUP BY ALL"
            self._query(f"CREATE OR REPLACE TEMP TABLE found AS {again}")
        self._query(f"CREATE OR REPLACE TEMP VIEW present AS SELECT * FROM found WHERE {PRESENT}")

    def _count(self, columns: dict[int, Column]) -> None:
        for number, rows in self._query("SELECT col, sum(n)::BIGINT FROM found GROUP BY col"):
            columns[number].rows = rows
        # Of equally frequent values, the hash takes some: so they are neither the first nor the last of an order.
        sample = f"min_by(value, hash(value) / 18446744073709551616.0 - n, {SAMPLE}), max(n, {SAMPLE})"
        found = self._query(
            "SELECT col, sum(n)::BIGINT, count(*), min(length(value)), max(length(value)), "
            f"{sample} FROM present GROUP BY col"
        )
        for number, present, distinct, shortest, longest, values, counts in found:
            column = columns[number]
            column.present, column.distinct, column.shortest, column.longest = present, distinct, shortest, longest
            column.frequent = sorted(zip(values, counts, strict=True), key=lambda item: (-item[1], item[0]))
            column.sample = values
        written = f"NOT ({PRESENT}) AND value <> ''"
        for number, word, n in self._query(f"SELECT col, value, n FROM found WHERE {written} ORDER BY n DESC"):
            columns[number].missing[word] = n

    def _choose_styles(self, columns: list[Column], usual: str) -> None:
        """Decide how the values of each column are written, and its words for "no value".

        Values that a style does not read are looked at, too, and it is chosen anew: a choice that later rows refute
        does not stand.
        """
        left = {column.number: column.rows + 1 for column in columns}  # by the best style so far
        for _ in range(TURNS):
            tried = {column.number: style for column in columns if (style := self._choose(column, usual))}
            columns = [column for column in columns if tried.get(column.number, column.style) != column.style]
            if not columns:
                return
            unread = self._unread({column.number: tried[column.number] for column in columns})
            for column in columns:
                texts, total = unread.get(column.number, ({}, 0))
                words = _words_for_missing(texts, total, column.present)
                among = sum(texts[word] for word in words)
                rest, there = total - among, column.present - among
                is_enough = there > 0 and rest <= (1 - ENOUGH) * there
                if is_enough and rest < left[column.number] and not self._are_codes(column, texts):
                    column.style, column.missing_words = tried[column.number], words
                    left[column.number] = rest
                new = [text for text in texts if text not in column.sample and text not in words][:UNREAD]
                column.sample += new
            columns = [column for column in columns if unread.get(column.number)]

    def _choose(self, column: Column, usual: str) -> Style | None:
        words = [value for value in column.sample if value.casefold() not in LIKELY]
        delimiter = self._table.dialect.marks.delimiter
        number = numeric.choose(words, decimal=self._chosen, usual=usual, delimiter=delimiter)
        return number or moments.choose(words, first=self._first)

    def _unread(self, styles: dict[int, Style]) -> dict[int, tuple[dict[str, int], int]]:
        """The most frequent values that a column's style does not read, with their counts; and the count of all."""
        self._read(styles)
        totals = dict(self._query("SELECT col, sum(n)::BIGINT FROM measured WHERE x IS NULL GROUP BY col"))
        if not totals:
            return {}
        texts = f"min_by({{'value': unread, 'count': n}}, (-n, unread), {UNREAD_AT_MOST})"
        found = self._query(f"SELECT col, {texts} FROM measured WHERE x IS NULL GROUP BY col")
        return {col: ({item["value"]: item["count"] for item in items}, totals[col]) for col, items in found}

    def _read(self, styles: dict[int, Style]) -> None:
        """Make the table "measured": for each column the numbers `x` that its style reads, and the other texts."""
        numbers: dict[Style, list[int]] = {}
        for number, style in styles.items():
            numbers.setdefault(style, []).append(number)
        parts = [
            f"SELECT col, {style.sql('value')} AS x, n, value FROM present WHERE col IN ({', '.join(map(str, some))})"
            for style, some in numbers.items()
        ]
        columns = "col, x, n, CASE WHEN x IS NULL THEN value END AS unread"
        self._query(f"CREATE OR REPLACE TEMP TABLE measured AS SELECT {columns} FROM ({' UNION ALL '.join(parts)})")
        self._measured = styles

    def _measure(self, columns: list[Column]) -> dict[int, Json]:
        """The distributions of the columns, read with the styles that were chosen in the end."""
        self._forget_refuted(columns)
        styles = {column.number: column.style for column in columns if column.style}
        if styles != self._measured:
            self._read(styles)
        return distributions(self._table, styles)

    def _are_codes(self, column: Column, unread: Iterable[str]) -> bool:
        """True if leading zeros fill all numbers of the column up to the same length, as in postcodes."""
        if not any(re.fullmatch(r"0\d+", value) for value in unread):
            return False
        of_digits = f"col = {column.number} AND regexp_full_match(value, '[0-9]+')"
        [(lengths,)] = self._query(f"SELECT count(DISTINCT length(value)) FROM present WHERE {of_digits}")
        return bool(lengths == 1)

    def _forget_refuted(self, columns: list[Column]) -> None:
        """Styles of dates forget their second order of day and month if a value refutes it."""
        open_ = [
            (column, column.style) for column in columns if isinstance(column.style, DateStyle) and column.style.other
        ]
        for style in {style for _, style in open_}:
            those = [column for column, own in open_ if own == style]
            numbers = ", ".join(str(column.number) for column in those)
            refuted = self._query(
                f"SELECT DISTINCT col FROM present WHERE col IN ({numbers}) AND ({style.sql('value')}) IS NOT NULL "
                f"AND ({style.sql('value', day=style.other)}) IS NULL"
            )
            for column in those:
                if (column.number,) in refuted:
                    column.style = replace(style, other="")

    def _leave_out(self, columns: dict[int, Column]) -> None:
        """Take the columns' own words for "no value" out of their values."""
        own = {number: column.missing_words for number, column in columns.items() if column.missing_words}
        if not own:
            return
        is_word = " OR ".join(
            f"(col = {number} AND value IN ({', '.join(map(quoted, words))}))" for number, words in own.items()
        )
        for number, word, n in self._query(f"SELECT col, value, n FROM present WHERE {is_word} ORDER BY n DESC"):
            column = columns[number]
            column.missing[word] = n
            column.present -= n
            column.distinct -= 1
        self._query(f"CREATE OR REPLACE TEMP VIEW present AS SELECT * FROM found WHERE {PRESENT} AND NOT ({is_word})")


def _facts(column: Column, measured: Json) -> Json:
    """The entry of this column in profile.json."""
    facts: Json = {
        "name": column.name,
        "type": "empty",
        "rows": column.rows,
        "missing": column.rows - column.present,
        "missing_written_as": column.missing,
        "distinct": column.distinct,
    }
    if not column.present:
        return facts
    top = [(value, n) for value, n in column.frequent if value not in column.missing_words][:TOP]
    if column.style is None:
        values = {value.lower() for value, _ in top}
        kind = "yes/no" if values in FALSE_AND_TRUE else "text"
        facts |= {"type": kind, "shortest": column.shortest, "longest": column.longest}
    return facts | measured | {"top": [{"value": value[:SHOWN], "count": n} for value, n in top]}


def _words_for_missing(unread: dict[str, int], total: int, present: int) -> list[str]:
    """The words that a column of numbers or dates writes where it has no value, the most frequent first.

    `unread` are the most frequent texts that cannot be read, `total` counts all of them. The words are LIKELY ones; or
    the one word that repeats and stands for most of what cannot be read, if it is in half of the rows at most.
    """
    likely = [value for value in unread if value.casefold() in LIKELY]
    left = total - sum(unread[word] for word in likely)
    word, count = next(((word, n) for word, n in unread.items() if word not in likely), ("", 0))
    is_usual = count > 1 and count * 2 <= present and left <= 2 * count
    return [*likely, word] if is_usual and not re.search(r"\d", word) else likely


def usual_decimal(columns: Iterable[Column]) -> str:
    """The decimal mark that the columns of a table prove; empty if none does, or if they differ."""
    marks = {
        column.style.decimal for column in columns if isinstance(column.style, NumberStyle) and column.style.has_proof
    }
    return marks.pop() if len(marks) == 1 else ""
