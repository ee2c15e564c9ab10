"""The backends of settings.TASKS that make entries, by alias, and the lines to write where a task has none of them."""

from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.tasks import task_backends

BACKEND = "queueing.backend.PresenceBackend"


def decorator(name: str, *, takes_context: bool = True) -> str:
    """The line above the function of a line, with the backend where the default one makes no entries."""
    alias = alias_of(name) or _alias_to_paste()
    backend = "" if alias == "default" else f'backend="{alias}", '
    return f'@task({backend}queue_name="{name}"{", takes_context=True" if takes_context else ""})'


def backend_to_paste() -> str:
    """The setting by which all lines have a backend that makes entries. A default one that is not ours stays."""
    alias, ours = _alias_to_paste(), backend_of_all()
    return f'TASKS = {{"default": {ours}}}' if alias == "default" else f'TASKS["{alias}"] = {ours}'


def backend_of_all() -> str:
    """A backend that makes entries, for all lines of this site."""
    return f'{{"BACKEND": "{BACKEND}", "QUEUES": {list(settings.QUEUEING_TASKS)}}}'


def alias_of(name: str) -> str:
    """The backend of ours that has this line; empty: there is none."""
    return next((alias for alias, backend in _ours().items() if not backend.queues or name in backend.queues), "")


def _makes_entries(backend: object) -> bool:
    """True for a backend of ours. By its name: the module of the backend is above this one."""
    return any(f"{kind.__module__}.{kind.__qualname__}" == BACKEND for kind in type(backend).__mro__)


def _ours() -> dict[str, Any]:
    """The backends that make entries, by alias. One that cannot be made is told by a check (E094)."""
    found = {}
    for alias in settings.TASKS:
        with suppress(ImproperlyConfigured):
            found[alias] = task_backends[alias]
    return {alias: backend for alias, backend in found.items() if _makes_entries(backend)}


def _alias_to_paste() -> str:
    """The backend that is to have all lines: one of ours, or "queue" beside a default one that is not."""
    if found := next(iter(_ours()), ""):
        return found
    return "queue" if settings.TASKS else "default"
