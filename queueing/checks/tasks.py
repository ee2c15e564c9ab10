"""Checks of the heavy tasks."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.template import TemplateDoesNotExist, TemplateSyntaxError

from queueing.aliases import decorator
from queueing.checks import forms, templates
from queueing.deployment import is_file
from queueing.forms import EntryForm
from queueing.registry import EXAMPLES, SHIPPED, HeavyTask, extra, shipped, sound_tasks
from queueing.sizes import readable_size
from queueing.work.blame import FINAL

LEAST = {"memory_bytes": 64 * 1024**2, "cpu_seconds": 1, "disk_bytes": 1, "processes": 0}  # limits of one run


@register("queueing")
def check_templates(**_: Any) -> list[CheckMessage]:
    """A template that is missing would be found by the first visitor who has a result."""
    return [error for task in sound_tasks().values() for error in _template_errors(task)]


@register("queueing")
def check_queues(**_: Any) -> list[CheckMessage]:
    """The key in QUEUEING_TASKS is the queue's name; with another one, entries would wait in another line."""
    return [
        Error(
            f"QUEUEING_TASKS[{name!r}] is a task of the queue {task.name!r}.",
            hint=f"Write {decorator(name)} above the function {task.task.module_path}, or call the key {task.name!r}.",
            id="queueing.E081",
        )
        for name, task in sound_tasks().items()
        if task.name != name
    ]


@register("queueing")
def check_samples(**_: Any) -> list[CheckMessage]:
    """A sample is handed in as the file of the form."""
    return [
        Error(
            f"The sample of {task.name!r} cannot be handed in: {why}.",
            hint="Write sample=Path(__file__).parent / 'sample.csv', or leave it out.",
            id="queueing.E084",
        )
        for task in sound_tasks().values()
        if task.sample and (why := _fault_of_sample(task.sample, task.form))
    ]


def _fault_of_sample(sample: Path, form: type[EntryForm]) -> str:
    if not is_file(sample):
        return f"{sample} is no file"
    if not form.file_fields():
        return "the form takes none"
    most = forms.largest_file(form)
    is_larger = most is not None and sample.stat().st_size > most
    return f"it is larger than the {readable_size(most or 0)} of the form" if is_larger else ""


@register("queueing")
def check_tries(**_: Any) -> list[CheckMessage]:
    """A task is tried once at least; and time passes between two tries."""
    return [
        Error(
            f"The limits of {task.name!r} do not fit: timeout and attempts are 1 at least, and retry_after is not 0.",
            hint="Write timeout=600, attempts=3, retry_after=10, or leave them out.",
            id="queueing.E085",
        )
        for task in sound_tasks().values()
        if task.timeout < 1 or task.attempts < 1 or not 0 < task.retry_after < inf
    ]


@register("queueing")
def check_meaning(**_: Any) -> list[CheckMessage]:
    """A value of the right type that no task can use."""
    return [
        Error(f"{sentence}.", hint=hint, id="queueing.E116")
        for task in sound_tasks().values()
        for sentence, hint in _misuses(task)
    ]


@register("queueing")
def check_effects(**_: Any) -> list[CheckMessage]:
    """An argument that does nothing without another one."""
    return [
        Warning(f"In the task {task.name!r}, {sentence} changes nothing.", hint=hint, id="queueing.W116")
        for task in sound_tasks().values()
        for sentence, hint in _idle(task)
    ]


@register("queueing")
def check_limits(**_: Any) -> list[CheckMessage]:
    """A limit that is too small ends each run; the system would refuse one below zero. As E030 for the settings."""
    return [
        Error(
            f"{field}={value} of {task.name!r} is too small: the least is {least}.",
            hint=f"Write {field}={EXAMPLES[field]}, or leave it out: then TASK_{field.upper()} holds.",
            id="queueing.E114",
        )
        for task in sound_tasks().values()
        for field, least in LEAST.items()
        if (value := getattr(task, field)) is not None and value < least
    ]


@register("queueing")
def check_packages(**_: Any) -> list[CheckMessage]:
    """A shipped task loads its large packages in the worker, so each entry would fail there."""
    found: list[CheckMessage] = []
    for task in sound_tasks().values():
        module = task.task.func.__module__
        lacking = [package for package in SHIPPED.get(shipped(module), ()) if find_spec(package) is None]
        if lacking:
            sentence = f"The task {task.name!r} needs packages that are not installed: {', '.join(lacking)}."
            found.append(Warning(sentence, hint=extra(module), id="queueing.W115"))
    return found


@register("queueing")
def check_names(**_: Any) -> list[CheckMessage]:
    """A line that is misspelt would stay open."""
    closed = str(settings.QUEUEING.get("CLOSED_LINES", "")).replace(",", " ").split()
    if not (unknown := [name for name in closed if name not in settings.QUEUEING_TASKS]):
        return []
    return [
        Error(
            f"CLOSED_LINES names {', '.join(map(repr, unknown))}, and there is no such line.",
            hint=f"The lines are: {', '.join(settings.QUEUEING_TASKS)}.",
            id="queueing.E086",
        )
    ]


def _template_errors(task: HeavyTask) -> Iterator[CheckMessage]:
    if task.form.preview_template and "file" not in task.form.file_fields():
        yield Error(
            f"The form of {task.name!r} has a preview, and no field `file` that it could be about.",
            hint="Write file = forms.FileField() into the form, or leave preview_template out.",
            id="queueing.E087",
        )
    wanted = {"result_template": (task.result_template, "<p>{{ result }}</p>")}
    if task.form.preview_template:
        wanted["preview_template"] = (task.form.preview_template, "<p>{{ preview }}</p>")
    for what, (name, line) in wanted.items():
        try:
            for sentence, is_certain in templates.faults(name):
                kind, number = (Error, "E079") if is_certain else (Warning, "W079")
                yield kind(
                    f"The {what} of {task.name!r} cannot be shown. {sentence}{'' if sentence.endswith('?') else '.'}",
                    hint=f"Correct {sentence.partition(':')[0]}.",
                    id=f"queueing.{number}",
                )
        except (TemplateDoesNotExist, TemplateSyntaxError) as error:
            yield Error(
                f"The {what} of {task.name!r}, {name!r}, cannot be used: {type(error).__name__} ({error}).",
                hint=f"Correct {name}."
                if isinstance(error, TemplateSyntaxError)
                else templates.repair_of_missing(name, line, task.task.func.__module__),
                id="queueing.E080",
            )


def _misuses(task: HeavyTask) -> Iterator[tuple[str, str]]:
    for field in ("title", "summary", "verb"):
        if not getattr(task, field).strip():
            yield f"The {field} of {task.name!r} is empty", f'Write {field}="…": visitors read it.'
    if task.typical_seconds is not None and not 0 < task.typical_seconds < inf:
        yield (
            f"typical_seconds={task.typical_seconds} of {task.name!r} is no time of a run",
            "Write typical_seconds=30, or leave it out.",
        )
    for field in ("writable", "readable"):
        for path in getattr(task, field):
            if not path.is_absolute():
                yield (
                    f"{field} of {task.name!r} has the path {str(path)!r}, which depends on where a worker is started",
                    f'Write Path(__file__).parent / "{path}", for example.',
                )
    if inspect.isgeneratorfunction(task.task.func):
        yield (
            f"The function {task.task.module_path} has a `yield`, so a call of it gives a generator and does nothing",
            "Write context.progress(done, total) in the place of `yield`, and return the result.",
        )
    if task.warm_up is not None and (why := _not_callable_as_it_is(task.warm_up)):
        yield f"A worker cannot call warm_up of {task.name!r}: {why}", "Name a function without arguments."


def _not_callable_as_it_is(function: Callable[[], object]) -> str:
    """The reason why a call without arguments would fail; empty: none is known."""
    if inspect.iscoroutinefunction(function):
        return "it is an `async def`"
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        return str(error)
    except ValueError:  # of a function in C
        return ""
    return ""


def _idle(task: HeavyTask) -> Iterator[tuple[str, str]]:
    usual = {field.name: field.default for field in fields(HeavyTask)}
    for field in ("retry_on", "retry_after"):
        if task.attempts == 1 and getattr(task, field) != usual[field]:
            yield f"{field} without attempts", "Write attempts=3, or another number."
    if task.attempts > 1 and not task.retry_on:
        yield f"attempts={task.attempts} with retry_on=()", "Write retry_on=(ConnectionError,), or leave it out: any."
    for kind in task.retry_on if task.attempts > 1 else ():
        if issubclass(kind, FINAL):
            yield f"{kind.__name__} in retry_on", "Leave it out: it ends the entry, and is never tried again."
    if task.readable and not task.isolated:
        yield "readable without isolated", "Write isolated=True, or leave it out: the task reads all that its user may."
    yield from forms.idle(task.form)
