"""The values that travel to a task: JSON, and dates, times, durations, decimals and UUIDs.

They come back as what they were.

And those that come back from it, `returned`: JSON alone.

Django's JSON encoder writes them as texts. Here each text is in an object that names its type, `{"$decimal": "1.50"}`.
The texts are Python's own, because Django's drop microseconds. A name in an argument that begins with "$" gets another.
"""

import inspect
import json
import math
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.dateparse import parse_duration
from django.utils.duration import duration_iso_string
from django.utils.functional import Promise
from django.utils.json import normalize_json

if TYPE_CHECKING:
    from django.tasks import Task

MARK = "$"
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
# The types that travel as texts: the name, how the text is written, and how it is read. A datetime is a date, too.
TYPES: tuple[tuple[type, str, Callable[[Any], str], Callable[[str], Any]], ...] = (
    (datetime, "datetime", datetime.isoformat, datetime.fromisoformat),
    (date, "date", date.isoformat, date.fromisoformat),
    (time, "time", time.isoformat, time.fromisoformat),
    (timedelta, "timedelta", duration_iso_string, parse_duration),
    (Decimal, "decimal", str, Decimal),
    (uuid.UUID, "uuid", str, uuid.UUID),
)
NUL, HALF = "\\u0000", "\\ud"  # as JSON writes a NUL character, and a half of a character
ADVICE = "Return str(…), float(…), int(…) or list(…) of it."
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


def by_name(task: "Task[..., Any]", values: Sequence[Any]) -> dict[str, Any]:
    """Positional arguments with the names of their parameters; what `*values` takes is "values[0]" and so on."""
    parameters = list(inspect.signature(task.func).parameters.values())[task.takes_context :]
    names = [parameter.name for parameter in parameters if parameter.kind in POSITIONAL]
    rest = next((parameter.name for parameter in parameters if parameter.kind is parameter.VAR_POSITIONAL), "")
    names += [f"{rest}[{number}]" for number in range(len(values) - len(names))]
    return dict(zip(names, values, strict=False))


def check_call(task: "Task[..., Any]", args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Raises TypeError where the call itself would: a worker would find out when nobody is there to read it."""
    context = [None] if task.takes_context else []
    try:
        _signature(task.func).bind(*context, *args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{task.func.__module__}.{task.func.__qualname__} cannot be called so: {error}") from None


@lru_cache(256)
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function, follow_wrapped=False)


def normalized_arguments(values: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The arguments of a task, by name. An error names the argument: `what` is as "value of the field {!r}"."""
    arguments = {}
    for name, value in values.items():
        try:
            arguments[name] = normalized(value)
        except (TypeError, ValueError) as error:
            path, why = _misfit(value, normalized) or ("", error)
            where = f"{path}: " if path else ""
            raise TypeError(
                f"The {what.format(name)} is refused: {where}{why}. "
                "JSON can, and so can dates, times, durations, decimals and UUIDs."
            ) from error
    return arguments


def returned(value: Any) -> Any:
    """The value that a task returned, as its row keeps it.

    Raises TypeError or ValueError with the place of what is not JSON: "rows[3].born is a date".
    """
    try:
        kept = normalize_json(value)
        text = json.dumps(kept, allow_nan=False)
        if HALF not in text and NUL not in text:  # nearly always: the look at each part costs as much again
            return kept
        error, found = None, _misfit(value, _check_part)
        if found is None:  # pairs of halves, such as emoji
            return kept
    except RecursionError:
        raise ValueError("The value that the task returned contains itself, or is too deep.") from None
    except (TypeError, ValueError) as caught:
        error, found = caught, _misfit(value, _check_part)
    if found is None:
        raise error or ValueError
    path, why = found
    raise type(why)(f"The value that the task returned is not JSON: {path or 'it'} {why}. {ADVICE}") from None


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


def _misfit(value: Any, check: Callable[[Any], object], path: str = "") -> tuple[str, Exception] | None:
    """The path of the first part that the check refuses, and its error; None: it refuses none."""
    parts: Iterable[tuple[str, Any]] = ()
    if isinstance(value, Mapping):
        if any(not isinstance(key, str | int | float | bytes | None) for key in value):
            (key, *_) = (key for key in value if not isinstance(key, str | int | float | bytes | None))
            return path, TypeError(f"has the name {key!r}, {_kind(key)}")
        for key in value:
            if isinstance(key, str):
                try:
                    check(key)
                except (TypeError, ValueError) as error:
                    return path, type(error)(f"has a name that {error}")
        parts = ((_below(path, key), part) for key, part in value.items())
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        parts = ((f"{path}[{place}]", part) for place, part in enumerate(value))
    else:
        try:
            check(value)
        except (TypeError, ValueError) as error:
            return path, error
    return next(filter(None, (_misfit(part, check, below) for below, part in parts)), None)


def _below(path: str, key: Any) -> str:
    if isinstance(key, str) and key.isidentifier():
        return f"{path}.{key}" if path else key
    return f"{path}[{key!r}]"


def _check_part(value: Any) -> None:
    """Raises TypeError or ValueError for a part of a result that JSON, or the database, does not have."""
    match value:
        case str() | bytes():
            try:
                _storable(value.decode() if isinstance(value, bytes) else value)
            except UnicodeError:
                raise ValueError("is a text that UTF-8 does not have") from None
            except ValueError:
                raise ValueError("is a text with a NUL character") from None
        case float() if not math.isfinite(value):
            raise ValueError(f"is {value}")
        case bool() | int() | float() | None:
            return
        case _:
            raise TypeError(f"is {_kind(value)}")


def _kind(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeio' else 'a'} {name}"


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
