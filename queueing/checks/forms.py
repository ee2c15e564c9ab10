"""Checks of what a form of a heavy task declares beside its fields: each would break its page, or be passed over."""

import inspect
import re
from collections.abc import Callable, Collection, Iterator
from types import FunctionType, MethodType
from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise

from queueing import parcel
from queueing.checking.pool import name_of
from queueing.checks import methods
from queueing.forms import EntryForm, SeveralFilesField
from queueing.models.trouble import DATABASE_ERRORS
from queueing.registry import sound_tasks

# The attributes that hold pairs of a pattern and a text.
PAIRS = {
    "refused_heads": '((rb"%PDF", "This is a PDF, not a table."),)',
    "stored_endings": '((rb"%PDF", ".pdf"),)',
}
TEXTS = ("fold_summary", "preview_template", "preview_label")
OF_FILES = ("check_file", "max_bytes", *PAIRS)
# All that docs/tasks.md tells a form to declare.
DECLARED = (*OF_FILES, *TEXTS, "folded", "preview", "preview_bytes", "as_found")
FUNCTIONS = (FunctionType, MethodType)
METHODS = [name for name in dir(EntryForm) if name[0] != "_" and isinstance(getattr(EntryForm, name), FUNCTIONS)]
ENDING = re.compile(r"(\.[A-Za-z0-9_-]{1,20}){0,3}")
# A declaration, another one without which it does nothing, and the line to write.
NEEDS = (
    ("preview", "preview_template", 'Write preview_template = "…", a template that gets `preview`.'),
    ("preview_template", "preview", "Write: def preview(self, upload, options)"),
    ("preview_label", "preview_template", 'Write preview_template = "…", a template that gets `preview`.'),
    ("preview_bytes", "preview", "Write: def preview(self, upload, options)"),
    ("fold_summary", "folded", 'Write folded = ("…",), with the fields to be folded.'),
)


@register("queueing")
def check_declarations(**_: Any) -> list[CheckMessage]:
    """Patterns, folded fields, numbers, and methods of the class."""
    return [
        Error(f"{name_of(task.form)}: {sentence}.", hint=hint, id="queueing.E123")
        for task in sound_tasks().values()
        for sentence, hint in _faults(task.form)
    ]


@register("queueing")
def check_methods(**_: Any) -> list[CheckMessage]:
    """A method that the queue cannot call breaks a page, or refuses each file; a misspelt one checks nothing."""
    return [message for task in sound_tasks().values() for message in _misfits(task.form)]


def largest_file(form: type[EntryForm]) -> int | None:
    """The bytes that `max_bytes` says; None if it says none, of which another check tells."""
    if _cannot_be_made(form) or methods.fault_of_method(form, "max_bytes", 0):
        return None
    try:
        most: Any = form().max_bytes()
    except Exception:  # noqa: BLE001  # of the site's own code
        return None
    return most if _is_number(most) else None


def largest_input(form: type[EntryForm]) -> int | None:
    """The bytes of all files of a form; None as for `largest_file`."""
    most = largest_file(form)
    if most is None or any(not _is_number(field.most) for field in _several(form).values()):
        return None
    return most * form.most_files()


def idle(form: type[EntryForm]) -> Iterator[tuple[str, str]]:
    """Declarations of a form that do nothing without another one, and the line to write."""
    told = {name for name in DECLARED if inspect.getattr_static(form, name) != inspect.getattr_static(EntryForm, name)}
    for name, needed, line in NEEDS:
        if name in told and needed not in told:
            yield f"{name} without {needed}", line
    if not form.file_fields():
        for name in sorted(told.intersection(OF_FILES)):
            yield f"{name} without a field for files", "Write file = forms.FileField(), or leave it out."
    if "as_found" in told and not form.has_options():
        yield "as_found without a field beside the file", "Leave it out."


def _misfits(form: type[EntryForm]) -> Iterator[CheckMessage]:
    where = name_of(form)
    yield from methods.misfits(form, EntryForm, METHODS, where)
    yield from methods.misspelt(form, EntryForm, DECLARED, where)
    if why := _cannot_be_made(form):
        line = "Write: def __init__(self, *args, **kwargs), and first in it: super().__init__(*args, **kwargs)"
        yield methods.misfit(f"{where}.__init__", why, line)
        return
    for name in dir(form):
        field = name.removeprefix("clean_")
        if field == name or name in METHODS:
            continue
        if field not in _fields(form):
            yield methods.never_asked(f"{where}.{name}", f"The form has no field {field!r}.")
        elif why := methods.fault_of_method(form, name, 0):
            yield methods.misfit(f"{where}.{name}", why, f"Write: def {name}(self)")


def _fields(form: type[EntryForm]) -> Collection[str]:
    """The names of the fields, with those that a form adds to itself."""
    try:
        return list(form().fields)
    except Exception:  # noqa: BLE001  # of the site's own code
        return list(form.base_fields)


def _cannot_be_made(form: type[EntryForm]) -> str:
    """The reason why the pages cannot make this form, without data or with it; empty: none is known."""
    return methods.fault_of_method(form, "__init__", 0) or methods.fault_of_method(form, "__init__", 2)


def _faults(form: type[EntryForm]) -> Iterator[tuple[str, str]]:
    for name, example in PAIRS.items():
        if why := _fault_of_pairs(getattr(form, name)) or _fault_of_texts(name, getattr(form, name)):
            yield f"{name} {why}", f"Write {name} = {example}"
    for name in TEXTS:
        if not isinstance(value := getattr(form, name), str | Promise):
            yield f"{name}={value!r} is no text", f'Write {name} = "…"'
    yield from _faults_of_folded(form)
    for name, own in vars(EntryForm).items():
        if isinstance(own, classmethod) and inspect.isfunction(inspect.getattr_static(form, name)):
            yield f"{name} is called on the class", f"Write @classmethod above def {name}(cls, …)."
    yield from _faults_of_numbers(form)


def _faults_of_folded(form: type[EntryForm]) -> Iterator[tuple[str, str]]:
    if isinstance(form.folded, str):
        yield f"folded={form.folded!r} is a text", f'Write folded = ("{form.folded}",)'
    elif not isinstance(form.folded, Collection):
        yield f"folded={form.folded!r} is no tuple of names", 'Write folded = ("…",), with names of fields.'
    elif unknown := [name for name in form.folded if name not in list(form.base_fields)]:
        yield f"folded names {', '.join(map(repr, unknown))}, and there is no such field", "Name fields of the form."


def _faults_of_numbers(form: type[EntryForm]) -> Iterator[tuple[str, str]]:
    for name, field in _several(form).items():
        if not _is_number(field.most):
            yield f"most={field.most!r} of the field {name!r} is no number of files", "Write most=10, for example."
    can_be_asked = not (_cannot_be_made(form) or methods.fault_of_method(form, "max_bytes", 0))
    if can_be_asked and (why := _fault_of_size(lambda: form().max_bytes())):
        yield f"max_bytes {why}", "Write: return 10_000_000"
    is_of_class = isinstance(inspect.getattr_static(form, "preview_bytes"), classmethod | staticmethod)
    can_be_asked = is_of_class and not methods.fault_of_method(form, "preview_bytes", 0)
    if can_be_asked and (why := _fault_of_size(form.preview_bytes)):
        yield f"preview_bytes {why}", "Write: return 4096"


def _fault_of_size(ask: Callable[[], Any]) -> str:
    """The reason why the answer is no size; empty: it is one, or a setting or the database is to blame."""
    try:
        size = ask()
    except (ImproperlyConfigured, *DATABASE_ERRORS):
        return ""
    except Exception as error:  # noqa: BLE001  # of the site's own code
        return f"raises {type(error).__name__}: {error}"
    return "" if _is_number(size) else f"gives {size!r}, which is no number of bytes"


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _several(form: type[EntryForm]) -> dict[str, SeveralFilesField]:
    return {name: field for name, field in form.base_fields.items() if isinstance(field, SeveralFilesField)}


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


def _fault_of_texts(name: str, pairs: Any) -> str:
    """The reason why a text of these pairs cannot be used; empty: there is none."""
    for _, text in pairs:
        if name == "refused_heads" and not text.strip():
            return "has an empty sentence, which would refuse nothing"
        if name == "stored_endings" and not ENDING.fullmatch(text):
            return f"has {text!r}, which is no ending of a name: it begins with a dot"
        if name == "stored_endings" and text == parcel.ENDING:
            return f"has {text!r}, which the queue gives to several files together"
    return ""
