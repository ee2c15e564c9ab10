"""Checks of the fields of a heavy task's form: their names, what travels to the worker, and what the function takes."""

import inspect
from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.checks import CheckMessage, Error, register

from queueing.aliases import decorator
from queueing.checking.pool import name_of
from queueing.forms import EntryForm
from queueing.registry import HeavyTask, sound_tasks

# Names that the page of a form uses for something else, so that a field of this name would be taken for it, or hide it.
TAKEN = frozenset(
    {
        # sent by the page beside the fields
        *("csrfmiddlewaretoken", "sample", "change", "challenge", "proof"),
        # read from the form by the templates, which look for a field first
        *("errors", "non_field_errors", "hidden_fields", "open_fields", "folded_fields", "is_unfolded"),
        *("fold_summary", "preview_bytes", "preview_label"),
        # read from the <form> by the script: a browser gives the field in its place
        *("action", "addEventListener", "dataset", "elements", "noValidate", "querySelector", "querySelectorAll"),
        "replaceChildren",
        # the first argument of Django's Task.call, which gets the fields as keyword arguments
        "self",
    }
)


@register("queueing")
def check_field_names(**_: Any) -> list[CheckMessage]:
    """A field with a name of the page's own would break the page, or be passed over without a word."""
    return [
        Error(
            f"The field {name!r} of {name_of(task.form)} has a name that the queue uses for something else.",
            hint=f"Call it otherwise, as in: own_{name} = …",
            id="queueing.E127",
        )
        for task in sound_tasks().values()
        for name in _taken(task)
    ]


@register("queueing")
def check_fields(**_: Any) -> list[CheckMessage]:
    """Some fields give values that cannot travel to a worker, or read the visitor's bytes in the web process."""
    return [error for task in sound_tasks().values() for error in _field_errors(task)]


@register("queueing")
def check_arguments(**_: Any) -> list[CheckMessage]:
    """A function that does not take what its form gives would fail with each entry."""
    return [error for task in sound_tasks().values() for error in _argument_errors(task)]


def _taken(task: HeavyTask) -> list[str]:
    """The names of this form that it may not have."""
    fields = task.form.base_fields
    own_code = ["code"] if fields.get("code") is not EntryForm.base_fields["code"] else []
    context = {"context"} if task.task.takes_context else set[str]()
    return [*own_code, *(name for name in fields if name in TAKEN | context)]


def _field_errors(task: HeavyTask) -> Iterator[CheckMessage]:
    for name, field in task.form.base_fields.items():
        where = f"The field {name!r} of {name_of(task.form)}"
        if isinstance(field, forms.ModelChoiceField):
            yield Error(
                f"{where} gives rows of the database, which cannot travel to a worker.",
                hint=f"Offer keys: {name} = forms.TypedChoiceField(choices=…, coerce=int); the task reads the row.",
                id="queueing.E082",
            )
        elif isinstance(field, forms.ImageField):
            yield Error(
                f"{where} reads the visitor's file in the web process.",
                hint=f"Write {name} = forms.FileField(), and look into the picture in check_file.",
                id="queueing.E083",
            )


def _argument_errors(task: HeavyTask) -> Iterator[CheckMessage]:
    """Not for a form with a `clean` of its own, which may give other values than its fields, or with a taken name."""
    if task.form.clean is not EntryForm.clean or _taken(task):
        return
    fields = [name for name in task.form.base_fields if name not in {"code", *task.form.file_fields()}]
    context = ["context"] if task.task.takes_context else []
    try:
        inspect.signature(task.task.func).bind(*context, **dict.fromkeys(fields))
    except TypeError as error:
        if next(iter(inspect.signature(task.task.func).parameters), "") == "context":
            context = ["context"]  # meant so, and not said to @task
        takes = ", ".join([*context, *(f"*, {', '.join(fields)}" for _ in fields[:1])])
        yield Error(
            f"The function {task.task.module_path} does not take what its form gives: {error}.",
            hint=f"Write {decorator(task.name, takes_context=bool(context))} above "
            f"def {task.task.func.__name__}({takes}); with takes_context=True its first argument is the context.",
            id="queueing.E088",
        )
