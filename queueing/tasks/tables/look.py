"""A look at the beginning of a table: how it would be read, and its first rows."""

from typing import Any

from queueing.tasks.tables import doubts
from queueing.tasks.tables.choices import Choices
from queueing.tasks.tables.dialect import sniff
from queueing.tasks.tables.encoding import of_head

ROWS = 8  # rows of data shown
CELL = 100  # characters shown of a cell

type Json = dict[str, Any]


def look(head: bytes, *, whole: bool, choices: Choices) -> Json:
    """How a table that begins with these bytes is read. Raises UnusableInput.

    `whole` says that `head` is all of the file.
    """
    encoding = of_head(head, choices.encoding)
    text = text_of(head, encoding.codec)
    dialect = sniff(text, whole=whole, choices=choices)
    return {
        "encoding": encoding.name,
        "delimiter": dialect.delimiter_name,
        "quote": dialect.marks.quote,
        "header": dialect.header,
        "names": dialect.names,
        "rows": [[cell[:CELL] for cell in row[: dialect.width]] for row in dialect.rows[:ROWS]],
        "doubts": doubts.about_file(encoding, dialect),
    }


def text_of(head: bytes, codec: str) -> str:
    """The text of these bytes as `encoding.as_utf8` copies it: plain line ends, no mark at its beginning, no NUL."""
    text = head.decode(codec, errors="ignore").removeprefix("\ufeff").replace("\0", "")
    return text.replace("\r\n", "\n").replace("\r", "\n")
