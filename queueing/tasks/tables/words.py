"""Figures and values as the page writes them."""

from typing import Any

LENGTH = 60  # characters shown of a name or value

type Json = dict[str, Any]


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def were(number: int) -> str:
    return "was" if number == 1 else "were"


def share(part: int, total: int) -> str:
    """A share in percent; never 0 % or 100 % for what is a little more or less than that."""
    percent = 100 * part / total
    if 0 < percent < 0.1:
        return "under 0.1 %"
    if 99.9 < percent < 100:
        return "over 99.9 %"
    return f"{percent:.0f} %" if percent >= 10 or percent == int(percent) else f"{percent:.1f} %"


def figure(value: float | str | None, digits: int = 6) -> str:
    """A number with that many digits that count; whole ones keep all, and dates are written already."""
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


def about(number: int) -> str:
    """An estimate: three digits that count."""
    digits = max(0, len(str(number)) - 3)
    return f"about {round(number, -digits):,}"


def short(text: str, length: int = LENGTH) -> str:
    """A name or value on one line, without the NUL that no database keeps."""
    line = " ".join(text.replace("\0", "").split())
    return line if len(line) <= length else line[: length - 1] + "…"
