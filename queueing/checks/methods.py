"""Methods that a class of the site overrides: can each be called as the queue calls it, and is its name one of ours?"""

import inspect
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Any

from django.core.checks import CheckMessage, Error, Warning

ALIKE = 0.75  # of the letters: "refuse" is like "refusal"
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def misfits(kind: type, base: type, names: Collection[str], where: str) -> Iterator[CheckMessage]:
    """An error for each of these methods that the queue could not call: every page that asks it would break.

    A method has to take what that of `base` requires. `where` is the class in words.
    """
    for name in names:
        usual = _required(getattr(base, name))
        is_of_class = isinstance(inspect.getattr_static(base, name), classmethod)
        if why := fault_of_method(kind, name, len(usual) - (not is_of_class)):
            takes = ", ".join(["cls", *usual] if is_of_class else usual)
            above = "@classmethod, and below it: " if is_of_class else ""
            yield misfit(f"{where}.{name}", why, f"Write: {above}def {name}({takes})")


def fault_of_method(kind: type, name: str, arguments: int) -> str:
    """The reason why a call with so many arguments would fail; empty: none is known."""
    method: Any = getattr(kind, name)
    if not callable(method):
        return f"it is {_shown(method)}"
    if inspect.iscoroutinefunction(method):
        return "it is an `async def`"
    static = inspect.getattr_static(kind, name)
    takes_self = hasattr(static, "__get__") and not isinstance(static, classmethod | staticmethod)
    try:
        inspect.signature(method).bind(*[None] * (arguments + takes_self))
    except TypeError as error:
        return str(error)
    except ValueError:  # of a function in C
        return ""
    return ""


def misspelt(kind: type, base: type, names: Collection[str], where: str) -> Iterator[CheckMessage]:
    """A warning for each name that is like one of ours, where the class has not that one: nobody would ask it."""
    own = {name for one in kind.__mro__ if not issubclass(base, one) for name in vars(one)}
    lacking = [name for name in names if name not in own]
    for name in sorted(own.difference(dir(base))):
        if not name.startswith("_") and (alike := get_close_matches(name, lacking, 1, ALIKE)):
            yield never_asked(f"{where}.{name}", f"Did you mean {alike[0]}?")


def misfit(what: str, why: str, line: str) -> CheckMessage:
    """The error for a method that cannot be called, with the line to write."""
    return Error(f"{what} cannot be called as the queue does: {why}.", hint=line, id="queueing.E125")


def never_asked(what: str, meant: str) -> CheckMessage:
    """The warning for a method, and the one that may have been meant."""
    hint = f"{meant} A helper of yours may begin with _."
    return Warning(f"The queue never asks {what}.", hint=hint, id="queueing.W117")


def _required(method: Any) -> list[str]:
    """The names of the arguments that a call has to give."""
    parameters = inspect.signature(method).parameters.values()
    return [one.name for one in parameters if one.kind in POSITIONAL and one.default is one.empty]


def _shown(value: Any) -> str:
    return "a property" if isinstance(value, property) else repr(value)
