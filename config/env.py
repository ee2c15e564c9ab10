"""Reads variables from the environment. A wrong value raises ImproperlyConfigured, which names the variable."""

import os

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str = "") -> str:
    """The variable's value. An empty variable counts as unset and gives the default."""
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
