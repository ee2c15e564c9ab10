"""Whether a value is of the type with which a field of a dataclass is annotated."""

from collections.abc import Callable
from types import UnionType
from typing import Any, Literal, get_args, get_origin


def fits(value: object, kind: Any) -> bool:
    """True if the value is of this type: a class, a union, Literal, Callable, type[…] or tuple[…, ...].

    An int fits float. True and False fit bool alone, although they are numbers for Python.
    """
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if origin is UnionType:
        return any(fits(value, one) for one in inner)
    if origin is Literal:
        return any(value is one or (type(value) is type(one) and value == one) for one in inner)
    if origin is tuple:
        return isinstance(value, tuple) and all(fits(one, inner[0]) for one in value)
    if origin is type:
        return isinstance(value, type) and issubclass(value, inner[0])
    if origin is Callable:
        return callable(value)
    if isinstance(value, bool):
        return origin is bool
    return isinstance(value, int | float if origin is float else origin)


def kind_of(value: object) -> str:
    """The type of a value in words: "str", or "tuple of str"."""
    if isinstance(value, tuple):
        return f"tuple of {' and '.join(dict.fromkeys(map(_kind_within, value))) or 'nothing'}"
    return type(value).__name__


def _kind_within(value: object) -> str:
    """Of a class its name: "tuple of the class KeyboardInterrupt" tells more than "tuple of type"."""
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
