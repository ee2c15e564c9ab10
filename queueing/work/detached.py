"""A task that runs without an entry: under Django's ImmediateBackend, or because a test calls it.

Its context has the same methods as always. Progress goes to nobody, files are kept in memory, and the input is what the
caller has handed in.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from queueing.exceptions import VisitorLeft
from queueing.parcel import InputFile, pick
from queueing.work.attempt import EntryContext
from queueing.work.saving import body_of, check_file

if TYPE_CHECKING:
    from django.core.files.base import File
    from django.tasks import TaskResult


@dataclass(slots=True, kw_only=True)
class Detached:
    """A running task without an entry. See `attempt.Running`."""

    handed: list[InputFile] = field(default_factory=list)
    leaves_at: float | None = None  # the share of the work, from 0 to 1, at which the visitor has left
    reports: list[tuple[float, str]] = field(default_factory=list)  # the share and the message of each
    files: dict[str, bytes] = field(default_factory=dict)  # by name

    def report(self, fraction: float, message: str) -> None:
        self.reports.append((fraction, message))
        if self.leaves_at is not None and fraction >= self.leaves_at:
            raise VisitorLeft

    @contextmanager
    def input_file(self, field: str = "") -> Iterator[Path]:
        yield pick(self.handed, field)

    @contextmanager
    def input_files(self) -> Iterator[list[InputFile]]:
        yield list(self.handed)

    def save_file(self, name: str, content: "bytes | File[bytes]", content_type: str) -> None:
        body = body_of(name, content, content_type)
        check_file(name, content_type, self.files)
        self.files[name] = b"".join(body.chunks())


_current: ContextVar[Detached | None] = ContextVar("detached", default=None)


def current() -> Detached | None:
    """The means that the caller has given to the tasks that run here."""
    return _current.get()


@contextmanager
def given(running: Detached) -> Iterator[Detached]:
    """Give these means to the tasks that run without an entry within the `with` block."""
    token = _current.set(running)
    try:
        yield running
    finally:
        _current.reset(token)


def context_of(task_result: "TaskResult[..., Any]") -> EntryContext:
    """The context of a task that runs without an entry, with the caller's means or with none."""
    return EntryContext(task_result=task_result, running=current() or Detached())
