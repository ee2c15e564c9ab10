"""One column: decides how its values are written, and states the facts about them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from queueing.tasks.tables import moments, numeric
from queueing.tasks.tables.choices import AUTO, Choices
from queueing.tasks.tables.distribution import distribution
from queueing.tasks.tables.loading import BLANKS, Table
from queueing.tasks.tables.moments import DateStyle
from queueing.tasks.tables.numeric import NumberStyle, quoted

ENOUGH = 0.95  # least share of readable values in a column of numbers, or of dates
TOP = 20  # frequent values listed in profile.json
SHOWN = 100  # characters kept of a value
FREQUENT, RANDOM, UNREAD = 50, 250, 100  # values looked at: the most frequent, some others, and those that did not fit
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
    "na", "nil", "null", "none", "missing", "unknown", "not available", "k.a.", "s.o.", "#div/0!", "#value!", "#ref!",
    "#null!",
    "#num!", "#name?", "0000-00-00", "0000-00-00 00:00:00", "00/00/0000", "00.00.0000", "tbd", "tba", "(null)",
    "undefined",
}  # fmt: skip
FALSE_AND_TRUE = ({"no", "yes"}, {"false", "true"}, {"n", "y"}, {"f", "t"})

type Json = dict[str, Any]
type Style = NumberStyle | DateStyle


@dataclass(slots=True)
class Column:
    """The facts about one column, and how its values were read."""

    number: int  # of the column; the first one is 0
    name: str
    facts: Json
    style: Style | None = None  # None: text
    missing_words: list[str] = field(default_factory=list)  # for "no value", beside blanks and MISSING


@dataclass(slots=True)
class Counts:
    """Counts of the values of one column."""

    rows: int
    present: int  # rows with a value
    distinct: int  # different values, without those for "no value"
    shortest: int  # characters
    longest: int
    most: int  # rows of the most frequent value
    words: dict[str, int]  # words for "no value", with their counts


class Describer:
    """Describes the columns of one table.

    While a column is described, the table "found" holds its different texts (`value`) with their counts (`n`), the view
    "present" those that are values, and the table "measured" the numbers that a style reads. So each value is read
    once, however often it occurs, and all figures are exact.
    """

    def __init__(self, table: Table, choices: Choices) -> None:
        self._table = table
        self._chosen = {"point": ".", "comma": ","}.get(choices.decimal, "")
        self._first = "" if choices.dates == AUTO else choices.dates
        self._measured: Style | None = None  # the style that "measured" was read with

    def describe(self, number: int, *, usual: str = "") -> Column:
        """The facts about a column. `usual` is the decimal mark that other columns of the table prove."""
        self._collect(number)
        counts = self._count()
        column = Column(number, self._table.dialect.names[number], {})
        if counts.present:
            column.style, column.missing_words = self._style(usual, counts)
            self._leave_out(column.missing_words, counts)
        column.facts = {
            "name": column.name,
            "type": "empty",
            "rows": counts.rows,
            "missing": counts.rows - counts.present,
            "missing_written_as": counts.words,
            "distinct": counts.distinct,
            "exact": True,
        }
        if counts.present:
            column.facts |= self._facts(column, counts)
        return column

    def _query(self, sql: str) -> list[tuple[Any, ...]]:
        return self._table.query(sql)

    def _collect(self, number: int) -> None:
        """Make the tables of a column's values, without the blanks around them."""
        self._measured = None
        source = f"SELECT coalesce(c{number}, '') AS value, count(*)::BIGINT AS n FROM cells GROUP BY 1"
        self._query(f"CREATE OR REPLACE TEMP TABLE found AS {source}")
        # Blanks sort before "!".
        if self._query("SELECT 1 FROM found WHERE value < '!' AND value > '' OR ends_with(value, ' ') LIMIT 1"):
            again = f"SELECT trim(value, {quoted(BLANKS)}) AS value, sum(n)::BIGINT AS n FROM found GROUP BY 1"
            self._query(f"CREATE OR REPLACE TEMP TABLE found AS {again}")
        self._keep(PRESENT)

    def _keep(self, condition: str) -> None:
        self._query(f"CREATE OR REPLACE TEMP VIEW present AS SELECT * FROM found WHERE {condition}")

    def _count(self) -> Counts:
        [(rows,)] = self._query("SELECT coalesce(sum(n), 0)::BIGINT FROM found")
        [(present, distinct, shortest, longest, most)] = self._query(
            "SELECT coalesce(sum(n), 0)::BIGINT, count(*), min(length(value)), max(length(value)), max(n) FROM present"
        )
        words = {}
        if rows > present:
            written = f"NOT ({PRESENT}) AND value <> ''"
            words = dict(self._query(f"SELECT value, n FROM found WHERE {written} ORDER BY n DESC"))
        return Counts(rows, present, distinct, shortest or 0, longest or 0, most or 0, words)

    def _leave_out(self, words: list[str], counts: Counts) -> None:
        """Take the column's own words for "no value" out of its values."""
        if not words:
            return
        listed = f"({', '.join(map(quoted, words))})"
        found = dict(self._query(f"SELECT value, n FROM present WHERE value IN {listed} ORDER BY n DESC"))
        counts.words |= found
        counts.present -= sum(found.values())
        counts.distinct -= len(found)
        self._keep(f"{PRESENT} AND value NOT IN {listed}")

    def _style(self, usual: str, counts: Counts) -> tuple[Style | None, list[str]]:
        """How the values are written, and the words for "no value"; (None, []) for text.

        Values that the style does not read are looked at, too, and it is chosen anew: a choice that later rows refute
        does not stand.
        """
        frequent = [value for value, _ in self._most_frequent(counts, FREQUENT)]
        some = f"FROM (SELECT value FROM present) USING SAMPLE {RANDOM} ROWS (reservoir, 1)"
        sample = list(dict.fromkeys([*frequent, *(value for (value,) in self._query(some))]))
        best, words_of_best, left_by_best = None, list[str](), counts.rows + 1
        for _ in range(TURNS):
            style = self._choose(sample, usual)
            if style is None or style == best:
                break
            unread, total = self._unread(style)
            words = _words_for_missing(unread, total, counts.present)
            among = sum(unread[word] for word in words)
            left, there = total - among, counts.present - among
            is_enough = there > 0 and left <= (1 - ENOUGH) * there
            if is_enough and left < left_by_best and not self._are_codes(unread):
                best, words_of_best, left_by_best = style, words, left
            new = [value for value in unread if value not in sample and value not in words][:UNREAD]
            if not new:
                break
            sample += new
        return self._with_other_reading(best), words_of_best

    def _most_frequent(self, counts: Counts, number: int) -> list[tuple[str, int]]:
        """The most frequent values with their counts; where each occurs once, the first of them."""
        order = "value" if counts.most == 1 else "n DESC, value"
        return self._query(f"SELECT value, n FROM present ORDER BY {order} LIMIT {number}")

    def _are_codes(self, unread: Iterable[str]) -> bool:
        """True if leading zeros fill all numbers of the column up to the same length, as in postcodes."""
        if not any(re.fullmatch(r"0\d+", value) for value in unread):
            return False
        [(lengths,)] = self._query(
            "SELECT count(DISTINCT length(value)) FROM present WHERE regexp_full_match(value, '[0-9]+')"
        )
        return bool(lengths == 1)

    def _choose(self, sample: list[str], usual: str) -> Style | None:
        words = [value for value in sample if value.casefold() not in LIKELY]
        delimiter = self._table.dialect.marks.delimiter
        number = numeric.choose(words, decimal=self._chosen, usual=usual, delimiter=delimiter)
        return number or moments.choose(words, first=self._first)

    def _unread(self, style: Style) -> tuple[dict[str, int], int]:
        """The most frequent values that the style does not read, with their counts, and the count of all."""
        self._measure(style)
        [(total,)] = self._query("SELECT coalesce(sum(n), 0)::BIGINT FROM measured WHERE x IS NULL")
        if not total:
            return {}, 0
        unread = f"SELECT unread, n FROM measured WHERE x IS NULL ORDER BY n DESC, unread LIMIT {UNREAD_AT_MOST}"
        return dict(self._query(unread)), total

    def _measure(self, style: Style) -> None:
        """Make the table "measured": the numbers `x` that the style reads, and the texts that it does not."""
        if style != self._measured:
            read = f"SELECT {style.sql('value')} AS x, n, value FROM present"
            columns = "x, n, CASE WHEN x IS NULL THEN value END AS unread"
            self._query(f"CREATE OR REPLACE TEMP TABLE measured AS SELECT {columns} FROM ({read})")
            self._measured = style

    def _with_other_reading(self, style: Style | None) -> Style | None:
        """The style; it forgets its second order of day and month if a value refutes that one."""
        if not isinstance(style, DateStyle) or not style.other:
            return style
        refuted = self._query(
            f"SELECT 1 FROM present WHERE ({style.sql('value')}) IS NOT NULL "
            f"AND ({style.sql('value', day=style.other)}) IS NULL LIMIT 1"
        )
        return replace(style, other="") if refuted else style

    def _facts(self, column: Column, counts: Counts) -> Json:
        facts: Json
        top = self._most_frequent(counts, TOP)
        if column.style is None:
            values = {value.lower() for value, _ in top}
            kind = "yes/no" if values in FALSE_AND_TRUE else "text"
            facts = {"type": kind, "shortest": counts.shortest, "longest": counts.longest}
        else:
            self._measure(column.style)
            facts = distribution(self._table, column.style)
            if column.missing_words:
                facts["missing_word"] = column.missing_words[0]
        return facts | {"top": [{"value": value[:SHOWN], "count": n} for value, n in top]}


def _words_for_missing(unread: dict[str, int], total: int, present: int) -> list[str]:
    """The words that a column of numbers or dates writes where it has no value, the most frequent first.

    `unread` are the most frequent texts that cannot be read, `total` counts all of them. The words are LIKELY ones; or
    the one word that repeats and stands for most of what cannot be read, if it is in half of the rows at most.
    """
    likely = [value for value in unread if value.casefold() in LIKELY]
    if likely or not unread:
        return likely
    word, count = next(iter(unread.items()))
    is_usual = count > 1 and count * 2 <= present and total <= 2 * count
    return [word] if is_usual and not re.search(r"\d", word) else []


def usual_decimal(columns: Iterable[Column]) -> str:
    """The decimal mark that the columns of a table prove; empty if none does, or if they differ."""
    marks = {
        column.style.decimal for column in columns if isinstance(column.style, NumberStyle) and column.style.has_proof
    }
    return marks.pop() if len(marks) == 1 else ""
