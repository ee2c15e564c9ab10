"""The registry of heavy tasks.

A heavy task is a function under Django's own `@task`, with what its page needs: a `HeavyTask` in a module that
`settings.QUEUEING_TASKS` names. The key there is the queue's name and the place in the URL.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol

from django.conf import settings
from django.core.files.base import File
from django.tasks import Task
from django.utils.module_loading import import_string

from queueing.exceptions import UnknownTask
from queueing.forms import EntryForm

SAMPLES = Path(__file__).resolve().parent.parent / "samples"


class Context(Protocol):
    """What a heavy task gets as its first argument: Django's TaskContext, and what a long task in a queue needs."""

    @property
    def attempt(self) -> int: ...

    def input_file(self) -> AbstractContextManager[Path]:
        """The visitor's file as a path on this machine, for as long as the block lasts."""
        ...

    def progress(self, done: float, total: float, message: str = "") -> None:
        """Tell the visitor how far the work is, and find out whether it is still wanted.

        Call it at least every few seconds; it is cheap. Raises VisitorLeft when the visitor stopped the task or has
        been gone for too long: let it pass.
        """
        ...

    def save_file(self, name: str, content: "bytes | File[bytes]", content_type: str) -> None:
        """Keep a file for the visitor under a plain name ("page-1.png"). It shows once the task has succeeded."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HeavyTask:
    """A heavy task and what its page needs."""

    task: "Task[..., Any]"  # made by django.tasks' @task(queue_name=..., takes_context=True)
    title: str  # "Read a scan": the card on the list, the page's heading
    summary: str  # one sentence under the title
    verb: str  # "Reading": what is shown while it runs and nothing else is known
    form: type[EntryForm]
    result_template: str  # a partial; gets `entry`, `result` (what the task returned) and `files` by name
    timeout: int  # seconds after which the task is ended as failed
    sample: str  # a file in queueing/samples/, for "try it with our sample"
    on_leave: Literal["stop", "finish"] = "stop"  # what happens when the visitor goes while it runs
    may_keep: bool = False  # whether a visitor may ask for KEEP_GRACE

    @property
    def name(self) -> str:
        """The queue's name, and the place in the URL."""
        return self.task.queue_name

    @property
    def stops_on_leave(self) -> bool:
        return self.on_leave == "stop"

    @property
    def sample_path(self) -> Path:
        return SAMPLES / self.sample


@cache
def load() -> dict[str, HeavyTask]:
    """All heavy tasks by name, in the order of the settings."""
    return {name: import_string(f"{module}.heavy_task") for name, module in settings.QUEUEING_TASKS.items()}


def get(name: str) -> HeavyTask:
    """The heavy task of that name. Raises UnknownTask."""
    try:
        return load()[name]
    except KeyError:
        raise UnknownTask(name) from None


def each() -> list[HeavyTask]:
    return list(load().values())
