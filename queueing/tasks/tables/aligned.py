"""Columns of text that is aligned with blanks, as reports and terminals print it."""

from collections.abc import Iterator

from queueing.tasks.tables.header import is_number

LEAST_ROWS = 3
WIDE = 400  # characters of a line that are looked at


def cuts_of(lines: list[str]) -> tuple[int, ...]:
    """Where each column but the first one begins; empty if the text is not aligned.

    A column ends where every line has a blank. One blank is enough between columns of which one holds numbers; words of
    prose do not line up so in every line.
    """
    if len(lines) < LEAST_ROWS or any("\t" in line for line in lines):
        return ()
    cuts = tuple(_cuts([line[:WIDE] for line in lines]))
    if not cuts:
        return ()
    ends = [*cuts[1:], None]
    columns = [[line[start:end].strip() for line in lines[1:]] for start, end in zip(cuts, ends, strict=True)]
    numbers = sum(all(is_number(cell) for cell in column if cell) and any(column) for column in columns)
    return cuts if numbers else ()


def _cuts(lines: list[str]) -> Iterator[int]:
    width = max(map(len, lines))
    padded = [line.ljust(width) for line in lines]
    blank = [all(line[place] == " " for line in padded) for place in range(width)]
    first = next((place for place, is_blank in enumerate(blank) if not is_blank), width)
    for place in range(first + 1, width):
        if blank[place - 1] and not blank[place]:
            yield place
