"""A look at the beginning of a table: how it would be read, and its first rows."""

import codecs
import csv
import io
from contextlib import suppress
from itertools import islice
from typing import Any

from queueing.tasks.tables.choices import AUTO, ENCODINGS, MARKS, Choices, label_of
from queueing.tasks.tables.dialect import NO_DELIMITER, Dialect, sniff
from queueing.tasks.tables.encoding import marked

ROWS = 8  # rows of data shown

type Json = dict[str, Any]


def look(head: bytes, *, whole: bool, choices: Choices) -> Json:
    """How a table that begins with these bytes is read. Raises UnusableInput.

    `whole` says that `head` is all of the file.
    """
    codec, encoding = _encoding(head, choices.encoding)
    text = head.decode(codec, errors="replace").removeprefix("\ufeff").replace("\0", "")
    if choices.delimiter != AUTO:
        mark = MARKS.get(choices.delimiter, NO_DELIMITER)
        text = f"sep={mark}\n{text}" if mark != NO_DELIMITER else text
    dialect = sniff(text, whole=whole, header=choices.header)
    body = io.StringIO(text.encode()[dialect.start :].decode(), newline="")
    return {
        "encoding": encoding,
        "delimiter": dialect.delimiter_name,
        "quote": '"',
        "header": dialect.header,
        "names": dialect.names,
        "rows": _rows(body, dialect),
        "doubts": [],
    }


def _rows(body: io.StringIO, dialect: Dialect) -> list[list[str]]:
    rows: list[list[str]] = []
    with suppress(csv.Error):  # a field is longer than MAX_LINE_BYTES
        for row in islice(filter(None, csv.reader(body, delimiter=dialect.delimiter)), dialect.skip + ROWS):
            rows.append(row)  # noqa: PERF402  # what was read before the error stays
    return rows[dialect.skip :]


def _encoding(head: bytes, chosen: str) -> tuple[str, str]:
    """The codec and its label."""
    if chosen != AUTO:
        return chosen, label_of(ENCODINGS, chosen)
    if mark := marked(head):
        return mark.codec, mark.name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "cp1252", "Windows-1252"
    return "utf-8", "UTF-8"
