"""Formats numbers, shares and values for the page."""

from typing import Any

LENGTH = 60  # characters shown of a name or a value
NAMES = 3  # columns that a sentence names
CHOICES = {
    "header": "First row",
    "encoding": "Encoding",
    "delimiter": "Delimiter",
    "quote": "Quotation marks",
    "decimal": "Decimal mark",
    "dates": "Dates",
}

type Json = dict[str, Any]


def counted(number: int, noun: str) -> str:
    """ "1 row", "1,234 rows"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def were(number: int) -> str:
    return "was" if number == 1 else "were"


def share(part: int, total: int) -> str:
    """A share in percent. A share just above 0 is "under 0.1 %", one just below 1 is "over 99.9 %"."""
    percent = 100 * part / total
    if 0 < percent < 0.1:
        return "under 0.1 %"
    if 99.9 < percent < 100:
        return "over 99.9 %"
    return f"{percent:.0f} %" if percent >= 10 or percent == int(percent) else f"{percent:.1f} %"


def figure(value: float | str | None, digits: int = 6) -> str:
    """A number with that many significant digits; a whole number keeps all of its digits.

    A text is a date that is formatted already; None is "unknown".
    """
    if value is None:
        return "unknown"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    if not 1e-4 <= abs(value) < 1e15:
        return f"{value:.4g}"
    decimals = max(0, digits - len(str(int(abs(value)))))
    written = f"{value:,.{decimals}f}"
    return written.rstrip("0").rstrip(".") if decimals else written


def extreme(value: float | str | None) -> str:
    """A smallest or largest value with all of its digits: rounded, it would be none of the column's."""
    return f"{value:,}" if isinstance(value, float) else figure(value)


def rounded(number: int) -> str:
    """An estimate with three significant digits."""
    return f"{round(number, 3 - len(str(number))):,}"


def short(text: str, length: int = LENGTH) -> str:
    """A name or value on one line, cut to `length`. NUL is removed, because PostgreSQL cannot store it."""
    line = " ".join(text.replace("\0", "").split())
    return line if len(line) <= length else line[: length - 1] + "…"


def read_as(encoding: str, delimiter: str, decimal: str = "") -> str:
    """ "Read as Windows-1251, semicolon, decimal comma." """
    mark = {"none": "one column"}.get(delimiter, delimiter)
    parts = [short(encoding), short(mark), *(["decimal comma"] if decimal == "," else [])]
    return f"Read as {', '.join(parts)}."


def doubt(found: Json) -> str:
    """A close decision: "Encoding: read as Windows-1251; KOI8-R fits, too." """
    others = [short(other["label"]) for other in found.get("others", [])]
    where = f" in {listed(found['columns'])}" if found.get("columns") else ""
    fits = f"; {' or '.join(others)} {'fits' if len(others) == 1 else 'fit'}, too" if others else ", which is a guess"
    return f"{CHOICES[found['choice']]}{where}: read as {short(found['label'])}{fits}."


def listed(names: list[str]) -> str:
    """ "a, b, c and 7 more"."""
    more = f" and {len(names) - NAMES:,} more" if len(names) > NAMES else ""
    return ", ".join(short(name, 40) for name in names[:NAMES]) + more
