"""Reads variables from the environment. A wrong value raises ImproperlyConfigured, which names the variable."""

import os
from collections.abc import Iterator
from difflib import get_close_matches

from django.core.exceptions import ImproperlyConfigured

READ = set[str]()  # names of variables
ALIKE = 0.88  # of the letters


def text(name: str, default: str = "") -> str:
    """The variable's value. An empty variable counts as unset and gives the default."""
    READ.add(name)
    return os.environ.get(name, "").strip() or default


def words(name: str, default: str = "") -> list[str]:
    """The words of a list that is separated by commas or blanks."""
    return text(name, default).replace(",", " ").split()


def number(name: str, default: int) -> int:
    """A whole number. Raises ImproperlyConfigured."""
    value = text(name, str(default))
    try:
        return int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from None


def boolean(name: str, *, default: bool) -> bool:
    """1, true, yes, on; or 0, false, no, off. Raises ImproperlyConfigured."""
    value = text(name, str(default)).lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}.")


def one_of(name: str, *values: str) -> str:
    """One of these values; the first is the default. Raises ImproperlyConfigured."""
    value = text(name, values[0]).lower()
    if value not in values:
        raise ImproperlyConfigured(f"{name} must be {' or '.join(values)}, not {value!r}.")
    return value


def prefixed(prefix: str) -> dict[str, str]:
    """All variables whose names start with the prefix; the keys are their names without it."""
    return {name.removeprefix(prefix): value for name, value in os.environ.items() if name.startswith(prefix)}


def misspelt(prefix: str) -> Iterator[str]:
    """A sentence for each variable that nobody reads, and whose name is like that of one which is not set.

    Another program may read it, so it is no fault. Call it when all variables have been read.
    """
    unset = [name for name in READ if name not in os.environ]
    for name in sorted(os.environ.keys() - READ):
        first, mark, rest = name.partition("_")
        if name.startswith(prefix):
            continue
        if get_close_matches(first + mark, [prefix], cutoff=ALIKE):
            yield f"{name} is not read. Did you mean {prefix}{rest}?"
        elif alike := get_close_matches(name, unset, 1, ALIKE):
            yield f"{name} is not read. Did you mean {alike[0]}?"
