"""Rows of totals: by their words, and by whether they add up."""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

from queueing.tasks.tables.header import is_number
from queueing.tasks.tables.rows import Cells

WORD = (
    r"totals?|sums?|summen?|gesamt(?:summe)?|insgesamt|totale?s?|totaal|somma|suma|soma|razem|"
    "всего|итого|合计|总计|合計|합계"  # Russian
)
TOTAL = re.compile(rf"(?:grand|overall)?[ -]?(?:{WORD}) ?:?", re.IGNORECASE)
PARTIAL = re.compile(
    rf"(?:sub|zwischen|sous|tussen|parcial)[ -]?(?:{WORD}|totale?|totaux)\b.*|.+[ :-](?:sub)?total ?:?|"
    rf"(?:{WORD}) (?:for|of|für|de|di|van) \S.*",
    re.IGNORECASE,
)
# A first look of DuckDB at the cells, which finds some more rows.
LIKELY = rf"(?i)(?:^|\b|sub|zwischen|sous|tussen)(?:{WORD}|totaux)"
BLOCKS = 0.5  # greatest share of totals among the rows; beyond that it is a word of the data

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


def adding_up(likely: Sequence[Line], rows: Sequence[tuple[int, Cells]], numeric: Sequence[int]) -> set[int]:
    """The numbers of those likely totals that are the sum of rows above them.

    A subtotal is the sum of the rows since the one before it, a total that of all rows. `rows` holds the cells of the
    numeric columns of all rows, in their order. Figures such as shares do not add up, so one column is enough.
    """
    totals, found = {number for number, _ in likely}, set[int]()
    for place, _ in enumerate(numeric):
        for decimal in ".,":
            numbers = [(number, _value(cells[place], decimal)) for number, cells in rows]
            found |= set(_equal_to_sums(numbers, totals))
    return found


def _equal_to_sums(numbers: Sequence[tuple[int, float]], totals: set[int]) -> Iterator[int]:
    """The rows of these totals whose number is the sum of those since the total before it, or of all above."""
    block, count = 0.0, 0
    upto = accumulate(0.0 if number in totals else value for number, value in numbers)
    for (number, value), whole in zip(numbers, upto, strict=True):
        if number not in totals:
            block, count = block + value, count + 1
            continue
        close = 1e-6 * abs(value) + 0.006 * max(count, 1)
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
