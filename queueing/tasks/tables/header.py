"""The header of a table: whether its first row holds names, and the names of its columns."""

import re
from collections import Counter
from itertools import pairwise

# Numbers, dates and times as any country may write them. This is a rough test; numeric.py and moments.py read strictly.
# A cell is short (LONGEST_NUMBER), so what its parts have in common costs no time.
NUMBER = re.compile(
    r"[+-]?[$€£¥]?\d[\d.,]*(?:(?<=[.,])[-\u2010-\u2015]{1,2}|(?:[ \u00a0\u202f]\d{3})*(?:,\d+)?)[ \u00a0]?[%€$£¥]?|"
    r"[+-]?[.,]\d+|"
    r"\d{1,4}[-./:]\d{1,2}([-./:]\d{1,4})?([T ][\d:.]+([^\W\d]\w*)?)?"
)
LONGEST_NUMBER = 64  # characters; a longer cell is none
YEARS = range(1800, 2200)
PLAIN = re.compile(r"[+-]?[$€£¥]?[\d.,]+[%€$£¥]?")  # a number, and no date or range
IDS = {"id", "nr", "no", "no.", "key", "index", "#"}  # names of a first column, which is not nameless then

LEAST_BELOW = 2  # rows, and columns of numbers, below units
GAPS = {
    "",
    "-",
    "--",
    ".",
    "?",
    "na",
    "n/a",
    "nan",
    "null",
    "none",
    "nil",
    "missing",
    "unknown",
    "\\n",
    "#n/a",
    "<na>",
    "inf",
    "-inf",
}

type Row = list[str]


def looks_like_header(rows: list[Row]) -> bool:
    """True if the first row holds names.

    It has no number or date; or it has a name above a number; or its numbers are names (`has_numbers_for_names`).
    """
    return not any(map(is_number, rows[0])) or names_stand_above_numbers(rows) or has_numbers_for_names(rows)


def names_stand_above_numbers(rows: list[Row]) -> bool:
    """True if the first row has a word above a number."""
    if len(rows) < 2:
        return False
    return any(cell.strip() and not is_number(cell) and is_number(low) for cell, low in zip(*rows[:2], strict=False))


def is_second_header(rows: list[Row]) -> bool:
    """True if the first of these rows, which stand below the header, holds units or more names: words above numbers.

    There are two columns of numbers at least, and no number and no gap in that row.
    """
    if len(rows) < LEAST_BELOW:
        return False
    columns = list(zip(*rows, strict=False))
    numbers = [column for column in columns if all(is_number(cell) for cell in column[1:])]
    words = [first.strip() for first, *_ in numbers]
    return len(words) >= LEAST_BELOW and not any(is_number(word) or word.casefold() in GAPS for word in words)


def has_numbers_for_names(rows: list[Row]) -> bool:
    """True if the numbers of the first row are names of columns: years, months, or 1, 2, 3, unlike the rows below.

    Columns of words come first, and have words or blanks in the first row, too.
    """
    first = rows[0]
    words = next((number for number, cell in enumerate(first) if is_number(cell)), len(first))
    names = first[words : _end_of_words(first)]
    below = [row for row in rows[1:] if len(row) >= len(first)]
    under = [cell.strip() for row in below for cell in row[words : words + len(names)] if cell.strip()]
    if not words or not names or not below or any(is_number(row[0]) for row in below):
        return False
    if len(set(names)) < len(names):
        return False
    if not any(PLAIN.fullmatch(name.strip()) for name in names):  # dates, months, ranges
        return not under or any(not is_number(cell) or PLAIN.fullmatch(cell) for cell in under)
    numbers = _whole_numbers(names)
    if numbers and all(number in YEARS for number in numbers):
        return not under or not all(number in YEARS for cell in under for number in _whole_numbers([cell]) or [0])
    if len(numbers) < 2 or not _step(numbers):
        return False
    return not all(_step(_whole_numbers(row[words : len(first)])) for row in below)


def _end_of_words(first: Row) -> int:
    """The number of cells up to the last one that is not blank."""
    return max((number for number, cell in enumerate(first, 1) if cell.strip()), default=0)


def _whole_numbers(cells: Row) -> list[int]:
    """The numbers of these cells; empty if one is no plain whole number."""
    texts = [cell.strip() for cell in cells]
    return [int(text) for text in texts] if all(re.fullmatch(r"\d{1,9}", text) for text in texts) else []


def _step(numbers: list[int]) -> int:
    """The step between neighbours; 0 if it is not always the same."""
    steps = {after - before for before, after in pairwise(numbers)}
    return steps.pop() if len(steps) == 1 else 0


def is_number(cell: str) -> bool:
    """True if a cell looks like a number, a date or a time."""
    text = cell.strip()
    return len(text) <= LONGEST_NUMBER and NUMBER.fullmatch(text) is not None


def names_of(rows: list[Row], width: int) -> list[str]:
    """The names of `width` columns, from the first row.

    A column without a name is called "Column <number>". A repeated name gets its count: "city", "city (2)".
    """
    header = _header(rows, width) if rows else []
    names: list[str] = []
    taken: Counter[str] = Counter()
    for number in range(1, width + 1):
        cell = header[number - 1] if number <= len(header) else ""
        name = " ".join(cell.replace("\0", "").split()) or f"Column {number}"
        taken[name] += 1
        while name in names:
            name = f"{name} ({taken[name]})"
        names.append(name)
    return names


def _header(rows: list[Row], width: int) -> Row:
    """The first row, with a blank name put in front if it has one field less than the table has columns.

    Then the first column is taken to be nameless, as R writes it: each row has that many fields, all different in the
    first column. If the last column is empty in every row, the missing name is that one's, and the row stays as it is.
    """
    header, *data = rows
    wide = [row for row in data if len(row) == width]
    if len(header) != width - 1 or len(wide) < len(data) or not any(row[-1].strip() for row in wide):
        return header
    if len({row[0] for row in wide}) == len(wide) and header[0].strip().lower() not in IDS:
        return ["", *header]
    return header
