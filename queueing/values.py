"""The values that travel to a task: JSON, and dates, times, decimals and UUIDs, which come back as what they were.

Django's JSON encoder writes them as texts. Here each text is in an object that names its type, `{"$decimal": "1.50"}`.
The texts are Python's own, because Django's drop microseconds. A name in an argument that begins with "$" gets another.
"""

import json
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.dateparse import parse_duration
from django.utils.duration import duration_iso_string
from django.utils.functional import Promise

MARK = "$"
# The types that travel as texts: the name, how the text is written, and how it is read. A datetime is a date, too.
TYPES: tuple[tuple[type, str, Callable[[Any], str], Callable[[str], Any]], ...] = (
    (datetime, "datetime", datetime.isoformat, datetime.fromisoformat),
    (date, "date", date.isoformat, date.fromisoformat),
    (time, "time", time.isoformat, time.fromisoformat),
    (timedelta, "timedelta", duration_iso_string, parse_duration),
    (Decimal, "decimal", str, Decimal),
    (uuid.UUID, "uuid", str, uuid.UUID),
)
READ = {MARK + name: read for _, name, _, read in TYPES}


def normalized(value: Any) -> Any:
    """The value as it will come back. Raises TypeError or ValueError for one that cannot travel.

    Lists take the place of other sequences, and texts that of lazy texts and of UTF-8 bytes.
    """
    match value:
        case str() | Promise():
            return _storable(str(value) if isinstance(value, Promise) else value)
        case bytes():
            return _storable(value.decode())
        case float() if not math.isfinite(value):
            raise ValueError(f"{value} is no number of JSON")
        case Mapping():
            return {_name(key): normalized(part) for key, part in value.items()}
        case bool() | int() | float() | None | date() | time() | timedelta() | Decimal() | uuid.UUID():
            return value
        case Sequence():
            return [normalized(part) for part in value]
        case _:
            kind = type(value)
            raise TypeError(f"a value of type {kind.__module__}.{kind.__qualname__} cannot travel to a task")


def normalized_arguments(values: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The arguments of a task, by name. An error names the argument: `what` is as "value of the field {!r}"."""
    arguments = {}
    for name, value in values.items():
        try:
            arguments[name] = normalized(value)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"The {what.format(name)} is refused: {error}. JSON can, and so can dates, times, decimals and UUIDs."
            ) from error
    return arguments


def to_json(value: Any) -> Any:
    """A normalized value as JSON."""
    match value:
        case Mapping():
            return {MARK + name if name.startswith(MARK) else name: to_json(part) for name, part in value.items()}
        case list():
            return [to_json(part) for part in value]
    for kind, name, write, _ in TYPES:
        if isinstance(value, kind):
            return {MARK + name: write(value)}
    return value


def from_json(value: Any) -> Any:
    """The value that `to_json` has made this of."""
    match value:
        case list():
            return [from_json(part) for part in value]
        case dict() if len(value) == 1 and (read := READ.get(name := next(iter(value)))):
            return read(value[name])
        case dict():
            return {name.removeprefix(MARK): from_json(part) for name, part in value.items()}
    return value


class Encoder(DjangoJSONEncoder):
    """Of the columns that hold arguments."""

    def encode(self, o: Any) -> str:
        return super().encode(to_json(o))


class Decoder(json.JSONDecoder):
    """Of the same columns."""

    def decode(self, s: str, *arguments: Any) -> Any:
        return from_json(super().decode(s, *arguments))


def _name(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a name in an object is a text, not {key!r}")
    return str(_storable(key))


def _storable(text: str) -> str:
    """The text. Raises ValueError for what PostgreSQL does not store: NUL, and halves of a character."""
    if "\0" in text:
        raise ValueError("a text has a NUL character")
    text.encode()  # raises UnicodeEncodeError, a ValueError
    return text
