"""Decisions about the reading of a table that were close: what was decided, and what else it may be."""

from collections.abc import Sequence
from typing import Any

from queueing.tasks.tables.choices import DATES, DECIMALS, DELIMITERS, ENCODINGS, HEADERS, Values, label_of
from queueing.tasks.tables.dialect import Dialect
from queueing.tasks.tables.guessing import Encoding

NAMED = 10  # columns that are named

type Json = dict[str, Any]


def about_file(encoding: Encoding, dialect: Dialect) -> list[Json]:
    """The close decisions about the whole file."""
    found = []
    if encoding.guessed:
        found.append(_doubt("encoding", ENCODINGS, encoding.guessed, encoding.others))
    if dialect.other:
        found.append(_doubt("delimiter", DELIMITERS, dialect.delimiter, (dialect.other,)))
    if dialect.header_is_close:
        found.append(_doubt("header", HEADERS, "yes", ("no",)))
    return found


def about_decimals(names: Sequence[str], read_as: str, other: str) -> Json:
    """Nothing decided between marks for decimals and for thousands in these columns."""
    return _doubt("decimal", DECIMALS, read_as, (other,)) | {"columns": list(names[:NAMED])}


def about_dates(names: Sequence[str], read_as: str, others: Sequence[str]) -> Json:
    """The dates of these columns fit other orders of day, month and year; `read_as` and `others` are in DATES."""
    return _doubt("dates", DATES, read_as, others) | {"columns": list(names[:NAMED])}


def _doubt(choice: str, values: Values, read_as: str, others: Sequence[str]) -> Json:
    return {
        "choice": choice,
        "read_as": read_as,
        "label": label_of(values, read_as),
        "others": [{"value": other, "label": label_of(values, other)} for other in others],
    }
