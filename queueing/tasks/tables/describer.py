"""Columns described: decides how the values of each are written, and measures them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from queueing.tasks.tables import moments, numeric
from queueing.tasks.tables.choices import AUTO, DECIMAL_MARKS, Choices
from queueing.tasks.tables.column import Column, Json, Style
from queueing.tasks.tables.distribution import distributions
from queueing.tasks.tables.loading import Table
from queueing.tasks.tables.moments import DateStyle
from queueing.tasks.tables.numeric import NumberStyle
from queueing.tasks.tables.values import Values

ENOUGH = 0.95  # least share of readable values in a column of numbers, or of dates
UNREAD = 100  # values that did not fit, which the next choice of a style looks at
UNREAD_AT_MOST = 1_000  # values that did not fit, fetched
TURNS = 4  # times that the style is chosen anew, with values that did not fit

# Words that mean "no value" in a column of numbers or dates, however many there are. Any other word means it there if
# it is the only one that repeats.
LIKELY = {
    "-", "--", "---", "\u2013", "\u2014", ".", "..", "...", "?", "*", "**", "***", "x", "n.a.", "n.d.", "n/d",
    "na", "nil", "null", "none", "missing", "unknown", "not available", "k.a.", "s.o.", "#div/0!", "#value!",
    "#ref!", "#null!", "#num!", "#name?", "0000-00-00", "0001-01-01", "0001-01-01 00:00:00",
    "0001-01-01t00:00:00", "0000-00-00 00:00:00", "00/00/0000", "00.00.0000", "tbd", "tba", "(null)",
    "undefined",
}  # fmt: skip


class Describer:
    """Describes columns of one table, as many at once as have few cells: a statement costs as much as 10,000 cells.

    The view "measured" holds the numbers `x` that the columns' styles read, with the columns' numbers `col` and the
    counts `n`, and the other texts, `unread`. See values.py for the views that it is made from.
    """

    def __init__(self, table: Table, choices: Choices) -> None:
        self._table = table
        self._query = table.query
        self._values = Values(table)
        self._chosen = DECIMAL_MARKS.get(choices.decimal, "")
        self._first = "" if choices.dates == AUTO else choices.dates
        self._measured: dict[int, Style] = {}  # the columns in "measured", and how they were read

    def describe(self, numbers: Sequence[int], *, usual: str = "") -> list[Column]:
        """The facts about some columns. `usual` is the decimal mark that other columns of the table prove."""
        names = self._table.dialect.names
        columns = {number: Column(number, names[number], self._table.rows) for number in numbers}
        self._measured = {}
        self._values.collect(columns)
        self._choose_styles([column for column in columns.values() if column.present], usual)
        self._values.leave_out(columns)
        measured = [column for column in columns.values() if column.style is not None]
        found = self._measure(measured) if measured else {}
        for column in columns.values():
            column.state(found.get(column.number, {}))
        return list(columns.values())

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
                    column.unread = {text: count for text, count in texts.items() if text not in words}
                    left[column.number] = rest
                column.sample += [text for text in texts if text not in column.sample and text not in words][:UNREAD]
            columns = [column for column in columns if unread.get(column.number)]

    def _choose(self, column: Column, usual: str) -> Style | None:
        words = [value for value in column.sample if value.casefold() not in LIKELY]
        delimiter = self._table.dialect.marks.delimiter
        number = numeric.choose(words, decimal=self._chosen, usual=usual, delimiter=delimiter)
        return number or moments.choose(words, first=self._first)

    def _unread(self, styles: dict[int, Style]) -> dict[int, tuple[dict[str, int], int]]:
        """The most frequent values that a column's style does not read, with their counts; and the count of all."""
        self._read(styles)
        if not self._query("SELECT 1 FROM measured WHERE x IS NULL LIMIT 1"):
            return {}
        texts = "SELECT col, unread AS value, sum(n)::BIGINT AS count FROM measured WHERE x IS NULL GROUP BY ALL"
        most = f"min_by({{'value': value, 'count': count}}, (-count, value), {UNREAD_AT_MOST})"
        found = self._query(f"SELECT col, sum(count)::BIGINT, {most} FROM ({texts}) GROUP BY col")
        return {col: ({item["value"]: item["count"] for item in items}, total) for col, total, items in found}

    def _read(self, styles: dict[int, Style]) -> None:
        """Make the view "measured"."""
        numbers: dict[Style, list[int]] = {}
        for number, style in styles.items():
            numbers.setdefault(style, []).append(number)
        parts = [
            f"SELECT col, {style.sql('value')} AS x, n, value FROM present WHERE col IN ({', '.join(map(str, some))})"
            for style, some in numbers.items()
        ]
        unread, shown = "CASE WHEN x IS NULL THEN value END AS unread", "*"
        columns = f"col, n, x, {unread}"
        if self._values.is_estimated:  # one column, and a line for each row: what is always the same is not stored
            columns, shown = f"x, {unread}", f"{next(iter(styles))} AS col, 1::BIGINT AS n, *"
        self._query(f"CREATE OR REPLACE TEMP TABLE numbers AS SELECT {columns} FROM ({' UNION ALL '.join(parts)})")
        self._query(f"CREATE OR REPLACE TEMP VIEW measured AS SELECT {shown} FROM numbers")
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
