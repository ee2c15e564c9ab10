"""Quotation marks, escapes and comments of a table, judged by how evenly its rows are cut."""

import re
from collections import Counter
from dataclasses import replace
from itertools import islice

from queueing.tasks.tables.rows import Cells, Marks, Rows

LINES = 400  # examined


def with_quoting(lines: Cells, marks: Marks, chosen: str | None) -> Marks:
    """The marks with the quotation mark by which fields begin and end, and the way in which one is escaped."""
    text, delimiter = "\n".join(lines[:LINES]), re.escape(marks.delimiter)
    begin, end = rf"(?:^|{delimiter}) *", rf" *(?={delimiter}|$)"

    def count(pattern: str) -> int:
        return len(re.findall(pattern, text, re.MULTILINE))

    double, closed = count(f'{begin}"'), count(f'"{end}')
    if chosen is not None:
        marks = replace(marks, quote=chosen)
    elif not double and count(rf"{begin}'[^'\n]*'{end}") >= 2 and count(f"{begin}'") <= count(f"'{end}"):
        marks = replace(marks, quote="'")
    elif double and not closed and marks.delimiter == "\t":
        return replace(marks, quote="")
    quote = marks.quote
    if not quote or "\\" + quote not in text:
        return marks
    escaped = replace(marks, escape="\\")
    if count(rf"[^{quote}\n]\\{quote}(?!{end})") and not count(rf"[^{quote}\n\\{delimiter}]{quote}{quote}"):
        return escaped
    return max(marks, escaped, key=lambda some: _evenness(lines, some))


def _evenness(lines: Cells, marks: Marks) -> tuple[float, int, int]:
    """The share of rows with the usual number of cells, the marks that are left over, and that number."""
    reader = Rows(lines, marks)
    widths = Counter(len(row.cells) for row in islice(reader, LINES))
    width, count = widths.most_common(1)[0] if widths else (0, 0)
    return round(count / max(widths.total(), 1), 1), -reader.mended, width


def comment_of(lines: Cells, delimiter: str) -> str:
    """The mark of comments: lines that begin with "#", most of them cut into other numbers of cells than the rows."""
    comments = [line for line in lines[:LINES] if line.startswith("#")]
    others = [line for line in lines[:LINES] if line.strip() and not line.startswith("#")]
    if not comments or len(others) < len(comments):
        return ""
    usual = Counter(line.count(delimiter) if delimiter else 0 for line in others).most_common(1)[0][0]
    like_rows = sum(line.count(delimiter) == usual for line in comments) if delimiter else 0
    return "#" if like_rows <= len(comments) / 2 else ""
