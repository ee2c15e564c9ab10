"""The header of a table: whether its first row holds names, and the names of its columns."""

import re
from collections import Counter
from itertools import pairwise

# Numbers, dates and times as any country may write them. This is a rough test; readings.py reads them strictly. No two
# parts beside each other may begin with the same character, or a long cell takes time that grows with its square.
NUMBER = re.compile(
    r"[+-]?[$€£]?\d[\d.,]*%?|[+-]?[.,]\d+|\d{1,4}[-./:]\d{1,2}([-./:]\d{1,4})?([T ][\d:.]+([^\W\d]\w*)?)?"
)
LONGEST_NUMBER = 64  # characters; a longer cell is none
YEARS = range(1800, 2200)

type Row = list[str]


def looks_like_header(rows: list[Row]) -> bool:
    """True if the first row holds names.

    It has no number or date; or it has a name above a number; or its numbers are names (`_has_numbers_for_names`).
    """
    first, below = rows[0], rows[1:]
    if not any(map(is_number, first)):
        return True
    second = below[0] if below else []
    if any(cell.strip() and not is_number(cell) and is_number(low) for cell, low in zip(first, second, strict=False)):
        return True
    return has_numbers_for_names(rows)


def has_numbers_for_names(rows: list[Row]) -> bool:
    """True if the numbers of the first row are names of columns: years, or 1, 2, 3, and unlike the rows below.

    The first cell is a word or blank, as above a column of words.
    """
    first, below = rows[0], [row for row in rows[1:] if len(row) >= len(rows[0])]
    numbers = _whole_numbers(first[1:])
    if not below or not numbers or is_number(first[0]) or any(is_number(row[0]) for row in below):
        return False
    are_years = all(number in YEARS for number in numbers)
    if len(set(numbers)) < len(numbers) or not (are_years or (len(numbers) > 1 and _step(numbers))):
        return False
    if are_years:
        return not all(number in YEARS for row in below for number in _whole_numbers(row[1 : len(first)]))
    return not all(_step(_whole_numbers(row[1 : len(first)])) for row in below)


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

    Then the first column is taken to be nameless, as R writes it. If the last column is empty in every row, the missing
    name is that one's, and the row stays as it is.
    """
    header, *data = rows
    if len(header) == width - 1 and any(row[-1].strip() for row in data if len(row) == width):
        return ["", *header]
    return header
