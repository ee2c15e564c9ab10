"""Tables with lines drawn between their cells, as psql, MySQL, DuckDB and Markdown write them."""

import re
from itertools import pairwise

BARS = "|\u2502\u2503"  # ASCII, and the signs for drawing boxes
DRAWN = re.compile(r"[-=:+|\s\u2500-\u257f]+")
SINGLE = re.compile(r"-{2,}\s*")
UNDERLINES = re.compile(r"\s*[-=]{2,}(?:\s+[-=]{2,})+\s*")
COUNT = re.compile(r"\s*\(?\d[\d,]* rows?\b.*")  # below the table: "(2 rows)", "2 rows in set (0.01 sec)"
# The row of types that DuckDB writes below the names, and its row of dots for rows that it left out.
TYPES = re.compile(
    r"u?(?:tiny|small|big|huge)?int(?:eger|8|16|32|64|128)?|varchar|text|bool(?:ean)?|double|float|real|blob|bit|uuid|"
    r"json|date|interval|time(?:stamp)?(?:_s|_ms|_ns)?(?: with time zone)?|null|"
    r"(?:decimal|enum|struct|map|union)\(.*\)|.+\[\d*\]"
)
DOTS = {"\u00b7"}
FIRST = 20  # lines among which the names are
LONGEST = 10_000  # characters of a rule


def is_rule(line: str) -> bool:
    """True for a line that is drawn: +----+----+ or |---|:--|."""
    is_drawn = len(line) <= LONGEST and DRAWN.fullmatch(line)
    return bool(is_drawn and re.search(r"[-=\u2500\u2501\u2550]{2}", line))  # a dash alone is a cell


def frame_of(lines: list[str]) -> str:
    """The bar between the cells of a table with drawn lines; empty if there are none.

    A rule has as many parts as the row above it, or below it, has cells.
    """
    lines = [line for line in lines if line.strip()]
    for number, line in enumerate(lines):
        if not is_rule(line):
            continue
        parts = len(re.findall(r"[-=:\u2500\u2501\u2550]+", re.sub(r"(?<=[-=:\u2500]) +|\s+$", "", line)))
        for row in [*lines[max(number - 1, 0) : number], *lines[number + 1 : number + 2]]:
            bar = next((bar for bar in BARS if bar in row), "")
            if bar and len(unframed(row, bar)) == parts and not is_rule(row):
                return bar
    return ""


def is_of_types(cells: list[str]) -> bool:
    """True for the row of types that DuckDB writes below the names."""
    return all(map(TYPES.fullmatch, cells))


def is_single(lines: list[str]) -> bool:
    """True for one column below an underlined name, as psql and SQLite write it."""
    lines = [line for line in lines if line.strip()][:FIRST]
    if len(lines) < 3 or not SINGLE.fullmatch(lines[1]) or is_rule(lines[0]):
        return False
    is_psql = COUNT.fullmatch(lines[-1]) or lines[0].startswith(" ")
    return bool(is_psql) and len(lines[1].rstrip()) >= len(lines[0].rstrip())


def unframed(row: str, bar: str) -> list[str]:
    """The cells of a row, without the bars at its ends and the blanks beside them."""
    text = row.strip()
    text = text.removeprefix(bar).removesuffix(bar) if text.startswith(bar) else text
    return [cell.strip() for cell in re.split(rf"(?<!\\){re.escape(bar)}", text)]


def ruled_columns(lines: list[str]) -> tuple[int, ...]:
    """The beginning of each column but the first one, if lines are drawn under the names; else empty."""
    for name, line in pairwise(lines[:FIRST]):
        if name.strip() and not is_rule(name) and UNDERLINES.fullmatch(line):
            return tuple(found.start() for found in re.finditer(r"[-=]+", line))[1:]
    return ()
