"""Rows that are no data: totals, by their words and by whether they add up; and headers that are repeated."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from queueing.tasks.tables.dialect import Dialect
from queueing.tasks.tables.header import is_number
from queueing.tasks.tables.numeric import quoted
from queueing.tasks.tables.rows import Cells

WORD = (
    r"totals?|sums?|summen?|gesamt(?:summe)?|insgesamt|totale?s?|totaal|somma|suma|soma|razem|"
    "всего|итого|合计|总计|合計|합계"  # Russian, Chinese, Japanese, Korean
)
MEAN = "averages?|avg\\.?|means?|durchschnitt|mittel(?:wert)?|moyennes?|promedio|gemiddelde"
TOTAL = re.compile(rf"(?:grand|overall)?[ -]?(?:{WORD}|{MEAN}) ?:?", re.IGNORECASE)
PARTIAL = re.compile(
    rf"(?:sub|zwischen|sous|tussen|parcial)[ -]?(?:{WORD}|totale?|totaux)\b.*|.+[ :-](?:sub)?total ?:?|"
    rf"(?:{WORD}) (?:for|of|für|de|di|van) \S.*",
    re.IGNORECASE,
)
# A first look of DuckDB at the cells, which finds some more rows.
LIKELY = rf"(?i)(?:^|\b|sub|zwischen|sous|tussen)(?:{WORD}|totaux|{MEAN})"
ROUNDED = 0.006  # by which a number of two decimals may differ from the one that was added up
LARGEST_SLACK = 0.001  # of a total; beyond that it is not the sum
BLOCKS = 0.5  # greatest share of totals among the rows; beyond that it is a word of the data

LEAST_NAMES = 2  # columns of a table whose header may stand among its rows
FEW = 3  # rows above a total without a name; fewer may add up by chance
LABELS, ADDED = 4, 6  # columns in which words for totals are looked for, and those whose numbers are added up

type Query = Callable[[str], list[tuple[Any, ...]]]
type Line = tuple[int, Cells]  # the number of a row, and its cells


def numeric_columns(rows: Sequence[Cells], width: int, share: float = 0.8) -> set[int]:
    """The columns in which at least this share of the cells are numbers."""
    found = set()
    for column in range(width):
        cells = [row[column] for row in rows if column < len(row) and row[column].strip()]
        if len(cells) >= 2 and sum(map(is_number, cells)) >= share * len(cells):
            found.add(column)
    return found


def is_total(cells: Cells, numeric: set[int]) -> bool:
    """True if the first word is one for a total, and only numbers follow it."""
    written = [(column, cell.strip()) for column, cell in enumerate(cells) if cell.strip()]
    if len(written) < 2 or not numeric:
        return False
    (column, word), *others = written
    return column not in numeric and bool(TOTAL.fullmatch(word)) and all(is_number(cell) for _, cell in others)


def may_be_total(cells: Cells, numeric: set[int]) -> bool:
    """True if a word among the texts is one for a total or a subtotal, and numbers stand where they should."""
    texts = [cell.strip() for column, cell in enumerate(cells) if column not in numeric and cell.strip()]
    numbers = [cell.strip() for column, cell in enumerate(cells) if column in numeric and cell.strip()]
    named = any(TOTAL.fullmatch(text) or PARTIAL.fullmatch(text) for text in texts)
    return named and bool(numbers) and all(map(is_number, numbers))


def _is_unnamed(cells: Cells, numeric: set[int]) -> bool:
    """True for numbers below the columns of numbers, and nothing below the others."""
    written = {column for column, cell in enumerate(cells) if cell.strip()}
    return bool(written) and written <= numeric and all(is_number(cells[column]) for column in written)


def totals_among(query: Query, dialect: Dialect, rows: int) -> tuple[dict[int, Cells], int]:
    """The totals in the table "cells" that add up, by their row numbers; and how many rows are only called so."""
    width = dialect.width
    numeric = numeric_columns(dialect.rows, width) if width > 1 else set()
    texts = [number for number in range(width) if number not in numeric][:LABELS]
    if not numeric or not texts:
        return {}, 0
    columns = ", ".join(f"coalesce(c{number}, '')" for number in range(width))
    is_likely = " OR ".join(f"regexp_matches(c{number}, {quoted(LIKELY)})" for number in texts)
    is_last = "rowid = (SELECT max(rowid) FROM cells)"
    found = query(f"SELECT rowid, {columns} FROM cells WHERE {is_likely} OR {is_last} ORDER BY rowid")
    likely = {number: cells for number, *cells in found if may_be_total(cells, numeric)}
    unnamed = {number: cells for number, *cells in found[-1:] if rows > FEW and _is_unnamed(cells, numeric)}
    likely |= unnamed
    if not likely or len(likely) > BLOCKS * rows:
        return {}, 0
    added = sorted(numeric)[-ADDED:]
    numbers = ", ".join(f"coalesce(c{number}, '')" for number in added)
    lines = [(number, cells) for number, *cells in query(f"SELECT rowid, {numbers} FROM cells ORDER BY rowid")]
    totals = _adding_up(set(likely), lines, len(added))
    return {number: likely[number] for number in sorted(totals)}, len(likely.keys() - unnamed - totals)


LONGEST_NAME = 1000  # bytes of a name that is looked for among the rows


def delete_headers(query: Query, dialect: Dialect) -> int:
    """Delete the rows that repeat the header from the table "cells". Returns their number.

    In a table of one column, the name may be a value.
    """
    names = dialect.names
    if not dialect.header or len(names) < LEAST_NAMES or all(map(is_number, names)):
        return 0
    # Only short texts are trimmed: copies of long ones would take the memory of what follows.
    is_header = " AND ".join(
        f"CASE WHEN strlen(c{number}) <= {LONGEST_NAME} THEN trim(c{number}) = {quoted(name)} ELSE false END"
        for number, name in enumerate(names)
    )
    [(count,)] = query(f"SELECT count(*) FROM cells WHERE {is_header}")
    if count:
        query(f"DELETE FROM cells WHERE {is_header}")
    return int(count)


def _adding_up(likely: set[int], lines: Sequence[Line], columns: int) -> set[int]:
    """The numbers of those likely totals that are the sum of rows above them.

    A subtotal is the sum of the rows since the one before it, a total that of all rows. Figures such as shares do not
    add up, so one column is enough.
    """
    found = set[int]()
    for column in range(columns):
        for decimal in ".,":
            numbers = [(number, _value(cells[column], decimal)) for number, cells in lines]
            for order in (numbers, numbers[::-1]):  # totals stand below their rows, or above them
                found |= set(_equal_to_sums(order, likely))
    return found


def _equal_to_sums(numbers: Sequence[tuple[int, float]], totals: set[int]) -> Iterator[int]:
    """The rows of these totals whose number is the sum of those since the total before it, or of all above."""
    block, count = 0.0, 0
    upto = accumulate(0.0 if number in totals else value for number, value in numbers)
    for (number, value), whole in zip(numbers, upto, strict=True):
        if number not in totals:
            block, count = block + value, count + 1
            continue
        close = 1e-6 * abs(value) + min(ROUNDED * max(count, 1), LARGEST_SLACK * abs(value))
        if value and (abs(block - value) <= close or abs(whole - value) <= close):
            yield number
        block, count = 0.0, 0


def _value(cell: str, decimal: str) -> float:
    """The number in a cell; 0 without one."""
    group = "," if decimal == "." else "."
    text = re.sub(r"[^\d.,\-]", "", cell.replace("\u2212", "-")).replace(group, "").replace(decimal, ".")
    try:
        return -float(text) if cell.strip().startswith("(") else float(text)
    except ValueError:
        return 0.0
