"""Checks of what a form of a heavy task declares beside its fields: each would break its page, or be passed over."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, register

from queueing.checking.pool import name_of
from queueing.forms import EntryForm
from queueing.registry import sound_tasks

# The attributes that hold pairs of a pattern and a text.
PAIRS = {
    "refused_heads": '((rb"%PDF", "This is a PDF, not a table."),)',
    "stored_endings": '((rb"%PDF", ".pdf"),)',
}


@register("queueing")
def check_declarations(**_: Any) -> list[CheckMessage]:
    """Patterns, folded fields, and methods of the class."""
    return [
        Error(f"{name_of(task.form)}: {sentence}.", hint=hint, id="queueing.E123")
        for task in sound_tasks().values()
        for sentence, hint in _faults(task.form)
    ]


def _faults(form: type[EntryForm]) -> Iterator[tuple[str, str]]:
    for name, example in PAIRS.items():
        if why := _fault_of_pairs(getattr(form, name)):
            yield f"{name} {why}", f"Write {name} = {example}"
    if isinstance(form.folded, str):
        yield f"folded={form.folded!r} is a text", f'Write folded = ("{form.folded}",)'
    elif unknown := [name for name in form.folded if name not in form.base_fields]:
        yield f"folded names {', '.join(map(repr, unknown))}, and there is no such field", "Name fields of the form."
    for name, own in vars(EntryForm).items():
        method = inspect.getattr_static(form, name)
        if isinstance(own, classmethod) and not isinstance(method, classmethod | staticmethod):
            yield f"{name} is called on the class", f"Write @classmethod above def {name}(cls, …)."


def _fault_of_pairs(value: Any) -> str:
    """The reason why this is no list of patterns, each with a text; empty: it is one."""
    if not isinstance(value, list | tuple):
        return f"is of type {type(value).__name__}, not a tuple of pairs"
    for pair in value:
        if not (isinstance(pair, list | tuple) and [type(one) for one in pair] == [bytes, str]):
            return f"has {pair!r}, which is no pair of a pattern (bytes) and a text"
        try:
            re.compile(pair[0])
        except re.error as error:
            return f"has {pair[0]!r}, which is no pattern: {error}"
    return ""
