"""The header of a table: whether its first row holds names, and the names of its columns."""

import re
from collections import Counter

# Numbers, dates and times as any country may write them. This is a rough test; kinds.py reads them strictly. No two
# parts beside each other may begin with the same character, or a long cell takes time that grows with its square.
NUMBER = re.compile(r"[+-]?\d[\d.,]*%?|\d{1,4}[-./:]\d{1,2}([-./:]\d{1,4})?([T ][\d:.]+([^\W\d]\w*)?)?")
LONGEST_NUMBER = 64  # characters; a longer cell is none

type Row = list[str]


def looks_like_header(rows: list[Row]) -> bool:
    """True if the first row holds names: it has no number or date, or it has a name above a number."""
    if not any(map(is_number, rows[0])):
        return True
    second = rows[1] if len(rows) > 1 else []
    return any(cell and not is_number(cell) and is_number(low) for cell, low in zip(rows[0], second, strict=False))


def is_number(cell: str) -> bool:
    """True if a cell looks like a number, a date or a time."""
    return matches(NUMBER, cell)


def matches(pattern: re.Pattern[str], cell: str) -> bool:
    """True if the pattern of a number fits the cell, without the blanks around it."""
    text = cell.strip()
    return len(text) <= LONGEST_NUMBER and pattern.fullmatch(text) is not None


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
    if len(header) == width - 1 and any(row[-1] for row in data if len(row) == width):
        return ["", *header]
    return header
