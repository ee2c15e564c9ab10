"""Whether the first row of a table holds names, and the names of its columns."""

import re
from collections import Counter

# Numbers, dates and times as they may look in any country; kinds.py reads them with more care.
NUMBER = re.compile(r"[+-]?\d[\d.,]*%?|\d{1,4}[-./:]\d{1,2}([-./:]\d{1,4})?([T ][\d:.]+\w*)?")

type Row = list[str]


def looks_like_header(rows: list[Row]) -> bool:
    """Names, not values: no numbers or dates, or else at least one name above a number."""
    if not any(map(is_number, rows[0])):
        return True
    second = rows[1] if len(rows) > 1 else []
    return any(cell and not is_number(cell) and is_number(low) for cell, low in zip(rows[0], second, strict=False))


def is_number(cell: str) -> bool:
    return NUMBER.fullmatch(cell.strip()) is not None


def names_of(rows: list[Row], width: int) -> list[str]:
    """Names for all columns, from the first row: a blank one is called by its number, a repeated one is counted."""
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
    """The first row; where it is one short, the nameless column is the first one, unless the last holds nothing."""
    header, *data = rows
    if len(header) == width - 1 and any(row[-1] for row in data if len(row) == width):
        return ["", *header]
    return header
