"""The registry of heavy tasks, and the parts of a heavy task.

A heavy task is a function decorated with Django's `@task`, and a `HeavyTask` that describes its page. The `HeavyTask`
is the variable `heavy_task` of a module that `settings.QUEUEING_TASKS` names. The key there is the queue's name, and
the task's part of the URL.
"""

import re
import sys
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, get_origin

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import File
from django.tasks import Task
from django.tasks.exceptions import InvalidTask, InvalidTaskBackend
from django.utils.module_loading import import_string

from queueing import aliases
from queueing.exceptions import UnknownTask
from queueing.forms import EntryForm
from queueing.kinds import fits, kind_of
from queueing.parcel import InputFile

# An example of each field of a heavy task, for a sentence about a value that is none. Of the other fields: a text.
EXAMPLES = {
    "timeout": "600",
    "sample": 'Path(__file__).parent / "sample.csv"',
    "on_leave": '"finish"',
    "typical_seconds": "30",
    "may_keep": "True",
    "attempts": "3",
    "retry_on": "(ConnectionError,)",
    "retry_after": "10",
    "warm_up": "load_models, without ()",
    "memory_bytes": "512 * 1024**2",
    "cpu_seconds": "600",
    "disk_bytes": "512 * 1024**2",
    "processes": "0",
    "writable": '(Path("/dev/shm"),)',
    "isolated": "True",
    "readable": '(Path("/opt/models"),)',
}
# The lines that come with the package, each with an extra of the same name, and the packages that it loads late.
SHIPPED = {"documents": ("numpy", "openvino", "rapidocr"), "tables": ("chardet", "duckdb")}
NAMED_QUEUE = re.compile(r"[Qq]ueue '(.*?)'")
NAMED_BACKEND = re.compile(r"connection '(.*?)' doesn't exist")
LONGEST_PAUSE = 3600  # seconds between two tries of an entry


class Context(Protocol):
    """The first argument of a heavy task: Django's TaskContext with methods for the input, progress and files."""

    @property
    def attempt(self) -> int:
        """The number of this start of the entry, from 1. It grows when a worker dies, and when the task is retried."""
        ...

    def input_file(self, field: str = "") -> AbstractContextManager[Path]:
        """The path of the visitor's file on this machine; valid within the `with` block.

        With several file fields in the form: of the file of this field, or of the first one. Raises LookupError when
        none came in the field.
        """
        ...

    def input_files(self) -> AbstractContextManager[list[InputFile]]:
        """All files that the visitor has handed in, with field and name; valid within the `with` block."""
        ...

    def progress(self, done: float, total: float, message: str = "") -> None:
        """Report to the visitor that `done` of `total` is finished, in any unit; check that the visitor is there.

        Call it at least every few seconds; it is cheap. Raises VisitorLeft if the visitor stopped the task or has been
        gone for too long. Do not catch it: it ends the task.
        """
        ...

    def save_file(self, name: str, content: "bytes | File[bytes]", content_type: str) -> None:
        """Store a file for the visitor under a plain name ("page-1.png"). It is visible once the task succeeded."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HeavyTask:
    """A heavy task and the texts, form and template of its page."""

    task: "Task[..., Any]"  # made by django.tasks' @task(queue_name=..., takes_context=True)
    title: str  # "Read a scan": title of the card on the home page, and heading of the task's page
    summary: str  # one sentence below the title
    verb: str  # "Reading": shown while the task runs and has sent no message
    form: type[EntryForm]
    result_template: str  # a partial; gets `entry`, `result` (the task's return value) and `files` by name
    timeout: int = 600  # seconds after which the task is ended as failed
    sample: Path | None = None  # a file for "Try it with our sample"
    on_leave: Literal["stop", "finish"] = "stop"  # reaction of a running task when its visitor goes
    typical_seconds: float | None = None  # of a run; for the expected wait, until the first runs have ended
    may_keep: bool = False  # whether a visitor may ask for KEEP_GRACE
    # Tries of one entry. After an exception of `retry_on` it waits, keeps its place, and is tried again, for a visitor
    # who is there then. Failures by the input (UnusableInput, a limit, the timeout, a crash) are not repeated.
    attempts: int = 1
    retry_on: tuple[type[Exception], ...] = (Exception,)
    retry_after: float = 10  # seconds before the second try; before each further one twice as long, up to an hour
    # Called once in each worker of this line, before it forks its first horse: for imports, and for models that survive
    # a fork. Threads do not, so no library may have work for threads of its own here.
    warm_up: Callable[[], object] | None = None
    # Limits of one run; None: the setting TASK_<NAME>. A task over one of them ends as failed.
    memory_bytes: int | None = None
    cpu_seconds: int | None = None  # of all threads together
    disk_bytes: int | None = None  # of the temporary folder, and of the saved files
    processes: int | None = None  # running at one time, beside the task's own; 0: it can start none
    writable: tuple[Path, ...] = ()  # folders and devices that the task may write to, beside its temporary folder
    # True: run in a further process without network, database, Redis, passwords, and files of others; on Linux.
    isolated: bool = False
    readable: tuple[Path, ...] = ()  # what an isolated task reads beside code and input: models, for example

    @property
    def name(self) -> str:
        """The name of the queue, and of the task in the URL."""
        return self.task.queue_name

    def pause_before_try(self, number: int) -> float:
        """Seconds between the end of the try before this one and its start; the first try has the number 1."""
        return float(min(self.retry_after * 2 ** min(number - 2, 20), LONGEST_PAUSE))

    @property
    def stops_on_leave(self) -> bool:
        """True if the task ends when its visitor has been away for too long."""
        return self.on_leave == "stop"


@cache
def all_tasks() -> dict[str, HeavyTask]:
    """All heavy tasks by name, in the order of `settings.QUEUEING_TASKS`. Raises ImproperlyConfigured."""
    return {name: _load(name, module) for name, module in settings.QUEUEING_TASKS.items()}


def sound_tasks() -> dict[str, HeavyTask]:
    """All tasks, or none of them if one cannot be used. For the start of a process, whose checks say why."""
    return {} if broken_tasks() else all_tasks()


def broken_tasks() -> list[str]:
    """A sentence for each heavy task that cannot be used."""
    found = []
    for name, module in settings.QUEUEING_TASKS.items():
        try:
            _load(name, module)
        except ImproperlyConfigured as error:
            found.append(str(error))
    return found


def _load(name: str, module: str) -> HeavyTask:
    try:
        found = import_string(f"{module}.heavy_task")
    except InvalidTaskBackend as error:
        raise ImproperlyConfigured(
            f'{setting_of_lines()}["{name}"]: {_repair_of_alias(name, module, error)}'
        ) from error
    except InvalidTask as error:
        sentence = f"{error} {_repair(name, error)}".rstrip()
        raise ImproperlyConfigured(f'{setting_of_lines()}["{name}"]: {sentence}') from error
    except TypeError as error:
        if "HeavyTask.__init__()" not in str(error):  # else of the site's own code
            raise
        raise ImproperlyConfigured(f'{setting_of_lines()}["{name}"]: {module}: {_ended(error)}') from error
    except ImportError as error:
        if _is_of_another(error, module):
            raise ImproperlyConfigured(
                f'{setting_of_lines()}["{name}"]: {module} cannot be imported: {error} ({_place(error)}).'
                f" {extra(module)}".rstrip()
            ) from error
        raise ImproperlyConfigured(
            f'{setting_of_lines()}["{name}"]: {error}. {_repair_of_module(name, module)}'
        ) from error
    if not isinstance(found, HeavyTask):
        raise ImproperlyConfigured(f'{setting_of_lines()}["{name}"]: {module}.heavy_task is not a HeavyTask.')
    if sentence := _misfit(found, name):
        raise ImproperlyConfigured(f'{setting_of_lines()}["{name}"]: {sentence}')
    return found


def _ended(error: Exception) -> str:
    """The sentence of an error of Python, with one mark at its end."""
    return str(error) if str(error).endswith(("?", ".")) else f"{error}."


def _misfit(found: HeavyTask, name: str) -> str:
    """A sentence about a part of a heavy task that is something else; empty: there is none."""
    given, form = getattr(found.task, "__qualname__", repr(found.task)), found.form
    if not isinstance(found.task, Task):
        return (
            f"task={given} is no task of Django. Write `from django.tasks import task`, and above the function: "
            + aliases.decorator(name)
        )
    if not (isinstance(form, type) and issubclass(form, EntryForm)):
        return (
            f"form={getattr(form, '__qualname__', repr(form))} is no class of entry forms. Write "
            f"`from queueing.forms import EntryForm`, and: class {getattr(form, '__name__', 'WordsForm')}(EntryForm):"
        )
    for field in fields(HeavyTask):
        if field.name not in {"task", "form"} and not fits(value := getattr(found, field.name), field.type):
            choices = get_args(field.type) if get_origin(field.type) is Literal else ()
            why = f"neither {' nor '.join(map(repr, choices))}" if choices else f"of type {kind_of(value)}"
            return f"{field.name}={value!r} is {why}. Write {field.name}={EXAMPLES.get(field.name, '"…"')}."
    return ""


def _repair(name: str, error: InvalidTask) -> str:
    """The line for a function that Django's @task has refused; empty: the error says it, and @task names the line."""
    if "first argument of 'context'" in str(error):
        return "Write `context` as the first argument of the function, or leave takes_context=True out."
    queue = NAMED_QUEUE.search(str(error))
    if queue is None:
        return ""
    if queue[1] in SHIPPED and queue[1] != name:
        return f"Call the line {queue[1]!r}."
    if "is not valid for backend" not in str(error):  # of a backend of ours, which names the setting
        return "" if queue[1] == name else f"Write {aliases.decorator(name)} above the function."
    return repair_of_backend(name)


def _repair_of_alias(name: str, module: str, error: InvalidTaskBackend) -> str:
    """The sentence about a backend that TASKS does not name, or that cannot be imported."""
    named = NAMED_BACKEND.search(str(error))
    if named is None:
        return f"{error}. Correct settings.TASKS."
    return f"{module} names the backend {named[1]!r}, which TASKS does not have. {repair_of_backend(name)}"


def repair_of_backend(name: str) -> str:
    """The line for a task whose backend makes no entries."""
    if name in SHIPPED:
        return f'Paste: TASKS["default"] = {aliases.backend_of_all()}. The tasks of the package name no other backend.'
    line = f"{aliases.decorator(name)} above the function."
    return f"Write {line}" if aliases.alias_of(name) else f"Paste: {aliases.backend_to_paste()}, and write {line}"


def setting_of_lines() -> str:
    """The setting in which this site names its lines, as its code writes it; where there is none, as the documents."""
    is_a_copy = bool(settings.QUEUEING_TASKS) and "LINES" not in settings.QUEUEING
    return "QUEUEING_TASKS" if is_a_copy else 'QUEUEING["LINES"]'


def _usual_module(name: str) -> str:
    """As the documents name it: a shipped one, in a site that took the queue in, and in a copy of this repository."""
    if name in SHIPPED:
        return f"queueing.tasks.{name}.task"
    return f"{name}.heavy" if "LINES" in settings.QUEUEING else f"queueing.tasks.{name}"


def _repair_of_module(name: str, module: str) -> str:
    """The line to write where no `heavy_task` was found."""
    meant, found = _meant_module(name, module), sys.modules.get(module)
    for variable, value in vars(found).items() if found else ():
        if isinstance(value, HeavyTask):
            return f"Call its variable {variable} heavy_task."
    if meant == module:
        file = f"{module.replace('.', '/')}.py"
        return "Write heavy_task = HeavyTask(…) at its end." if found else f"Make the file {file}, with a `heavy_task`."
    return f'Name a module that has a `heavy_task`, as in "{name}": "{meant}",'


def _meant_module(name: str, module: str) -> str:
    """The module itself, if the settings name the variable in it; else as the documents name one."""
    inner = module.removesuffix(".heavy_task")
    if known := shipped(inner):
        return f"queueing.tasks.{known}.task"
    return inner if inner != module else _usual_module(name)


def _is_of_another(error: ImportError, module: str) -> bool:
    """True if the module is there, and something that it imports is not."""
    wanted = error.name or ""
    return not f"{module}.heavy_task".startswith(wanted) and not str(error).startswith(f'Module "{module}"')


def extra(module: str) -> str:
    """The way to the packages of a shipped task, as in docs/adopting.md; empty for a task of the site."""
    name = shipped(module)
    return f'Install its packages: python -m pip install "client_queue-….whl[{name}]"' if name else ""


def shipped(module: str) -> str:
    """The name of the shipped task that the module belongs to; empty for a module of the site."""
    return next((name for name in SHIPPED if f"{module}.".startswith(f"queueing.tasks.{name}.")), "")


def _place(error: ImportError) -> str:
    """The line of the site's code that could not import it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    return f"{frames[-1].filename}, line {frames[-1].lineno}"


def get_task(name: str) -> HeavyTask:
    """The heavy task of that name. Raises UnknownTask if the settings name none."""
    try:
        return all_tasks()[name]
    except KeyError:
        raise UnknownTask(name) from None
