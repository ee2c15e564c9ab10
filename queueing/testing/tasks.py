"""A heavy task without an entry: the function itself, with the files that it gets, and its result."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile, File
from django.tasks import Task, TaskResult, TaskResultStatus

from queueing.forms import most_of
from queueing.parcel import InputFile
from queueing.registry import sound_tasks
from queueing.values import returned
from queueing.work import detached
from queueing.work.detached import Detached

type Content = bytes | Path | File[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The result of a task, with all else that it has left behind."""

    result: Any  # as the row would keep it
    files: dict[str, bytes]  # by name
    reports: list[tuple[float, str]]  # of its progress: the share from 0 to 1, and the message


def run_task(
    task: "Task[..., Any]",
    arguments: Mapping[str, Any] | None = None,
    /,
    **files: Content | Sequence[Content],
) -> Done:
    """Call the task's function with these arguments, the cleaned values of its form, and files by their fields.

    It needs neither Redis nor a database. Raises what the task raises, and TypeError for a file that the form of this
    task does not take.
    """
    with ExitStack() as stack:
        means = detached.current()
        if files or means is None:
            handed = stack.enter_context(_stored_files(files))
            means = stack.enter_context(detached.given(Detached(handed=handed)))
        _check_files(task, [file.field for file in means.handed])
        context = [detached.context_of(_result_of(task))] if task.takes_context else []
        value = returned(task.call(*context, **(arguments or {})))
    return Done(result=value, files=means.files, reports=means.reports)


def _check_files(task: "Task[..., Any]", fields: Sequence[str]) -> None:
    """A task that settings do not name has no form, so it takes all files."""
    form = next((heavy.form for heavy in sound_tasks().values() if heavy.task.func is task.func), None)
    if form is None:
        return
    taken = form.file_fields()
    for field, number in Counter(fields).items():
        if field not in taken:
            known = f"It has {', '.join(map(repr, taken))}." if taken else "It takes no file."
            raise TypeError(f"{form.__qualname__}, the form of this task, has no field for files {field!r}. {known}")
        if number > (most := most_of(taken[field])):
            raise TypeError(f"The field {field!r} of {form.__qualname__} takes {most}, and these are {number} files.")


@contextmanager
def handed_in(*, leaves_at: float | None = None, **files: Content | Sequence[Content]) -> Iterator[Detached]:
    """Hand these files, by the form's fields, to the tasks that run within the `with` block without an entry.

    These are `run_task`, and whatever Django's ImmediateBackend runs. Gives the means of the tasks: `files` and
    `reports` are what they have left. With `leaves_at` (from 0 to 1) the visitor leaves at that share of the work.
    Raises ValueError for another share: nobody would leave.
    """
    if leaves_at is not None and not 0 <= leaves_at <= 1:
        raise ValueError(f"leaves_at={leaves_at} is no share of the work. Write leaves_at=0.5, from 0 to 1")
    with _stored_files(files) as handed, detached.given(Detached(handed=handed, leaves_at=leaves_at)) as means:
        yield means


@contextmanager
def _stored_files(files: Mapping[str, Content | Sequence[Content]]) -> Iterator[list[InputFile]]:
    with tempfile.TemporaryDirectory(prefix="handed-in-") as folder:
        yield [
            _stored(field, content, Path(folder, f"{field}-{number}"))
            for field, given in files.items()
            for number, content in enumerate([given] if isinstance(given, bytes | Path | File | str) else given)
        ]


def _stored(field: str, content: Content, folder: Path) -> InputFile:
    if not isinstance(content, bytes | Path | File):
        raise TypeError(f"The file {field}={content!r} is no file: it is bytes, a Path, a file of Django, or a list.")
    if isinstance(content, Path):
        return InputFile(field, content, content.name, "")
    file = ContentFile(content, name="input") if isinstance(content, bytes) else content
    name = Path(file.name or "input").name
    folder.mkdir()
    path = folder / name
    path.write_bytes(b"".join(file.chunks()))
    return InputFile(field, path, name, getattr(file, "content_type", "") or "")


def _result_of(task: "Task[..., Any]") -> "TaskResult[..., Any]":
    """The state of a first attempt that runs."""
    return TaskResult(
        task=task,
        id="",
        status=TaskResultStatus.RUNNING,
        enqueued_at=None,
        started_at=None,
        last_attempted_at=None,
        finished_at=None,
        args=[],
        kwargs={},
        backend=task.backend,
        errors=[],
        worker_ids=["in-process"],
    )
