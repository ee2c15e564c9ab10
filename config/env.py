"""Reading the environment, with a sentence that names the variable when its value is wrong."""

import os

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str = "") -> str:
    """The variable's value; an empty one counts as unset."""
    return os.environ.get(name, "").strip() or default


def words(name: str, default: str = "") -> list[str]:
    """A list, separated by commas or blanks."""
    return text(name, default).replace(",", " ").split()


def number(name: str, default: int) -> int:
    value = text(name, str(default))
    try:
        return int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from None


def boolean(name: str, *, default: bool) -> bool:
    value = text(name, str(default)).lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}.")


def prefixed(prefix: str) -> dict[str, str]:
    """Every variable that starts with the prefix, by the rest of its name."""
    return {name.removeprefix(prefix): value for name, value in os.environ.items() if name.startswith(prefix)}
