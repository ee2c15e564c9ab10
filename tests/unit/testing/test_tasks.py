"""Heavy tasks without an entry: called by a test, or run by Django's own backends."""

import io
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.tasks import TaskResultStatus, task, task_backends

from queueing import registry
from queueing.exceptions import UnusableInput, VisitorLeft
from queueing.registry import Context
from queueing.testing.tasks import handed_in, run_task
from tests.support import probe
from tests.support.shapes import SHAPES, prompted, read_all

IMMEDIATE = {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend", "QUEUES": []}
DUMMY = {"BACKEND": "django.tasks.backends.dummy.DummyBackend", "QUEUES": []}


@task(queue_name="probe", takes_context=True)  # type: ignore[arg-type]  # our context can do more than Django's
def count(context: Context, least: int = 1) -> dict[str, Any]:
    with context.input_file() as path:
        words = path.read_text().split()
    for number, word in enumerate(words):
        context.progress(number, len(words), word)
    context.save_file("words.txt", "\n".join(words).encode(), "text/plain")
    return {"total": len(words), "attempt": context.attempt, "least": least}


@task(queue_name="probe", takes_context=True)  # type: ignore[arg-type]  # as above
def work(context: Context) -> str:
    """Needs no input, and uses all the rest of the context."""
    with context.input_files() as files:
        found = len(files)
    context.progress(1, 2, "half")
    context.save_file("a.txt", b"a", "text/plain")
    return f"{found} files, attempt {context.attempt}"


@task(queue_name="probe")
def give(kind: str) -> Any:
    """A value that no row could keep."""
    return {"set": {1, 2}, "nan": float("nan")}[kind]


@task(queue_name="probe", takes_context=True)  # type: ignore[arg-type]  # as above
def climb(context: Context) -> None:
    context.save_file("../x", b"", "text/plain")


@task(queue_name="probe", takes_context=True)  # type: ignore[arg-type]  # as above
def save(context: Context, kind: str) -> None:
    """Saves what is no content of a file, or no second file."""
    context.save_file("a.txt", b"", "text/plain")
    if kind == "again":
        context.save_file("a.txt", b"", "text/plain")
    wrong: dict[str, Any] = {"a text": "the rose", "a path": Path("/x"), "a buffer": io.BytesIO()}
    if kind in wrong:
        context.save_file("b.txt", wrong[kind], "text/plain")
    name: Any = Path("b.txt")
    context.save_file(name, b"", "text/plain")


# Called by a test


def test_a_task_is_called_with_its_file_and_arguments() -> None:
    done = run_task(count, {"least": 2}, file=b"the rose is the rose")
    assert done.result == {"total": 5, "attempt": 1, "least": 2}
    assert done.files == {"words.txt": b"the\nrose\nis\nthe\nrose"}
    assert done.reports[:2] == [(0.0, "the"), (0.2, "rose")]


def test_files_come_by_field_as_bytes_paths_and_files(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes(b"back")
    pages = [ContentFile(b"one", name="one.txt"), ContentFile(b"two", name="two.txt")]
    done = run_task(read_all, {"price": Decimal("1.5")}, front=b"front", back=tmp_path / "b.txt", pages=pages)
    files = {"front input": "front", "back b.txt": "back", "pages one.txt": "one", "pages two.txt": "two"}
    assert done.result == {"files": files, "first": "front", "back": ".txt", "price": "1.5"}


@pytest.fixture
def files_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.all_tasks(), "probe", replace(probe.heavy_task, **SHAPES["files"]))


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"front": b"a", "bakc": b"b"}, "FilesForm, the form of this task, has no field for files 'bakc'. It has 'front'"),
    ({"front": [b"a", b"b"]}, "The field 'front' of FilesForm takes 1, and these are 2 files"),
    ({"pages": [b"a"] * 4}, "takes 3, and these are 4 files"),
    ({"front": "a text"}, "The file front='a text' is no file: it is bytes"),
]


@pytest.mark.parametrize(("files", "sentence"), WRONG)
def test_a_file_that_the_form_does_not_take_is_told(files: dict[str, Any], sentence: str, files_form: None) -> None:
    with pytest.raises(TypeError, match=sentence):
        run_task(read_all, {"price": Decimal(1)}, **files)
    if "front='a text'" not in sentence:
        with handed_in(**files), pytest.raises(TypeError, match=sentence):
            run_task(read_all, {"price": Decimal(1)})


@pytest.mark.parametrize("share", [5, -0.1])
def test_a_visitor_who_could_not_leave_at_that_share_is_told(share: float) -> None:
    with pytest.raises(ValueError, match="is no share of the work"), handed_in(leaves_at=share):
        pass


def test_a_task_without_files_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.all_tasks(), "probe", replace(probe.heavy_task, **SHAPES["prompt"]))
    with pytest.raises(TypeError, match="It takes no file"):
        run_task(prompted, {"prompt": "a rose"}, file=b"a")


def test_values_of_a_form_reach_the_task_as_they_are() -> None:
    done = run_task(prompted, {"day": date(2026, 1, 2), "prompt": "a rose"})
    assert done.result == {"day": "date 2026-01-02", "prompt": "str a rose"}


@pytest.mark.parametrize(
    ("kind", "error", "sentence"),
    [
        ("a text", TypeError, "b.txt: the content is of type str, not bytes or a File. Write text.encode()"),
        ("a path", TypeError, "of type PosixPath, not bytes or a File. Write path.read_bytes()"),
        ("a buffer", TypeError, "of type BytesIO, not bytes or a File. Write File(…) of django.core.files around it"),
        ("a name", TypeError, 'name and content type are texts. Write save_file("page-1.png", content, "image/png")'),
        ("again", ValueError, "'a.txt' was saved before: each file of an attempt has a name of its own"),
    ],
)
def test_what_cannot_be_saved_is_told_with_the_line_to_write(kind: str, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=re.escape(sentence)):
        run_task(save, {"kind": kind})


def test_a_result_that_no_row_could_keep_is_an_error() -> None:
    with pytest.raises(TypeError):
        run_task(give, {"kind": "set"})
    with pytest.raises(ValueError, match="JSON"):
        run_task(give, {"kind": "nan"})


def test_a_visitor_leaves_in_the_middle() -> None:
    with handed_in(file=b"a b c d", leaves_at=0.5) as means:
        with pytest.raises(VisitorLeft):
            run_task(count)
        assert [fraction for fraction, _ in means.reports] == [0, 0.25, 0.5]
        assert means.files == {}


def test_without_a_file_the_task_hears_what_it_would_hear_of_an_entry() -> None:
    with pytest.raises(UnusableInput, match="No file was handed in"):
        run_task(count)


def test_names_of_files_are_judged_as_always() -> None:
    with pytest.raises(ValueError, match="no plain name"):
        run_task(climb)


# Django's backends


@pytest.fixture
def immediate(settings: Any) -> None:
    settings.TASKS = {"default": IMMEDIATE}


def test_the_immediate_backend_runs_a_task_with_what_is_handed_in(immediate: None) -> None:
    with handed_in(file=b"the rose") as means:
        result = count.enqueue(least=3)
    assert result.status == TaskResultStatus.SUCCESSFUL, result.errors
    assert result.return_value == {"total": 2, "attempt": 1, "least": 3}
    assert means.files == {"words.txt": b"the\nrose"}
    assert len(means.reports) == 2


def test_the_immediate_backend_runs_a_task_without_input(immediate: None) -> None:
    result = work.enqueue()
    assert result.status == TaskResultStatus.SUCCESSFUL, result.errors
    assert result.return_value == "0 files, attempt 1"


def test_the_immediate_backend_tells_the_error_of_a_task(immediate: None) -> None:
    result = count.enqueue()
    assert result.status == TaskResultStatus.FAILED
    assert result.errors[0].exception_class is UnusableInput


def test_the_immediate_backend_runs_a_task_without_context(immediate: None) -> None:
    assert prompted.enqueue(prompt="a").return_value == {"prompt": "str a"}


def test_the_dummy_backend_stores_a_task_and_runs_nothing(settings: Any) -> None:
    settings.TASKS = {"default": DUMMY}
    result = count.enqueue(least=2)
    assert result.status == TaskResultStatus.READY
    (stored,) = task_backends["default"].results  # type: ignore[attr-defined]  # of the dummy
    assert (stored.task, stored.kwargs) == (count, {"least": 2})
    assert run_task(stored.task, stored.kwargs, file=b"a b").result["total"] == 2
