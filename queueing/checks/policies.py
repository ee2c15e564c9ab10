"""Checks of the site's policy: its class can be made, and its methods are the ones that the queue calls."""

import inspect
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured

from queueing import policy
from queueing.conf import conf

METHODS = [name for name in vars(policy.Policy) if not name.startswith("_")]
ALIKE = 0.75  # of the letters: "refuse" is like "refusal"


@register("queueing")
def check_policy(**_: Any) -> list[CheckMessage]:
    """A policy that cannot be made, or is none, would be found at the first join only."""
    hint = 'Name a subclass of queueing.policy.Policy: QUEUEING = {"POLICY": "shop.queue.ShopPolicy"}.'
    try:
        made = policy.current()
    except ImproperlyConfigured:
        return []  # of another setting: `check_relations` says which
    except (ImportError, TypeError) as error:
        return [Error(f"POLICY: {error}", hint=hint, id="queueing.E117")]
    if not isinstance(made, policy.Policy):
        return [Error(f"POLICY: {conf.POLICY} is no queueing.policy.Policy.", hint=hint, id="queueing.E117")]
    return [*_misfits(made), *_misspelt(type(made))]


def _misfits(made: policy.Policy) -> Iterator[CheckMessage]:
    """An error for each method that the queue could not call: every page that asks it would be a 500."""
    for name in METHODS:
        usual = list(inspect.signature(getattr(policy.Policy, name)).parameters)
        if why := _fault_of_method(getattr(made, name), len(usual) - 1):
            yield Error(
                f"{conf.POLICY}.{name} cannot be called as the queue does: {why}.",
                hint=f"Write: def {name}({', '.join(usual)})",
                id="queueing.E125",
            )


def _fault_of_method(method: Any, arguments: int) -> str:
    """The reason why a call with so many arguments would fail; empty: none is known."""
    if not callable(method):
        return f"it is {method!r}"
    if inspect.iscoroutinefunction(method):
        return "it is an `async def`"
    try:
        inspect.signature(method).bind(*[None] * arguments)
    except TypeError as error:
        return str(error)
    except ValueError:  # of a function in C
        return ""
    return ""


def _misspelt(kind: type) -> Iterator[CheckMessage]:
    """A warning for each name that is like one of ours, where the class has not that one: nobody would ask it."""
    own = {name for base in kind.__mro__ if not issubclass(policy.Policy, base) for name in vars(base)}
    lacking = [name for name in METHODS if name not in own]
    for name in sorted(own.difference(METHODS)):
        if not name.startswith("_") and (alike := get_close_matches(name, lacking, 1, ALIKE)):
            yield Warning(
                f"The queue never asks {conf.POLICY}.{name}.",
                hint=f"Did you mean {alike[0]}? A helper of yours may begin with _.",
                id="queueing.W117",
            )
