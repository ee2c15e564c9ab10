"""The end of a task: whatever it raises, and a database that is away meanwhile."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection

from queueing.goodput import GOODPUT, shares
from queueing.line.places import Line
from queueing.models import Entry, EntryFile
from queueing.states import Reason, Status
from queueing.work import runner
from queueing.work.attempt import Attempt

pytestmark = pytest.mark.postgres

Join = Callable[..., Entry]


@pytest.fixture
def run(join: Join, line: Line) -> Callable[..., Entry]:
    """Run an entry in this process, as a horse does."""

    def go_through(**options: Any) -> Entry:
        entry = join(**options)
        runner.run_entry(entry.job_id)
        entry.refresh_from_db()
        return entry

    return go_through


def ended(entry: Entry) -> Entry | None:
    return Entry.objects.final().filter(pk=entry.pk).first()


@pytest.mark.parametrize(("end", "error"), [("exit", "SystemExit"), ("panic", "KeyboardInterrupt")])
def test_whatever_a_task_raises_ends_it_once(run: Callable[..., Entry], end: str, error: str) -> None:
    entry = run(end=end)
    assert (entry.status, entry.reason, entry.attempt) == (Status.FAILED, Reason.ERROR, 1)
    assert entry.error_class == f"builtins.{error}"
    assert error in entry.traceback


def test_input_that_takes_too_much_memory_is_to_blame_itself(run: Callable[..., Entry]) -> None:
    """One attempt and no old place; its worker-seconds are no failure of ours."""
    entry = run(end="memory")
    assert (entry.status, entry.reason, entry.attempt) == (Status.FAILED, Reason.CRASHED, 1)
    assert not entry.keeps_place_for_successor
    assert "more memory than one task may have" in entry.message
    assert entry.error_class == "builtins.MemoryError"
    assert "MemoryError" in entry.traceback
    entry.see_end()
    entry.refresh_from_db()
    assert Entry.objects.filter(shares()[GOODPUT]).get() == entry


def test_progress_inside_a_transaction_is_a_clear_error(run: Callable[..., Entry]) -> None:
    """Progress would hold the lock of the row until the transaction ends: no lease, no Stop, no keeper."""
    entry = run(end="transaction")
    assert (entry.status, entry.reason) == (Status.FAILED, Reason.ERROR)
    assert "inside transaction.atomic()" in entry.traceback


def test_a_database_that_blinks_does_not_reach_the_task(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = join()
    assert entry.start("w")
    attempt = Attempt(entry)

    def blink(*_: object) -> bool:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(connection, "close", lambda: None)  # the test's own transaction lives in it
    with monkeypatch.context() as blinking:
        blinking.setattr(Entry, "report", blink)
        attempt.report(0.5, "half")
    attempt._reported = 0
    attempt.report(0.75, "more")
    entry.refresh_from_db()
    assert entry.progress == 0.75


def test_a_result_is_stored_however_long_the_database_is_away(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = join()
    refusals = iter([OperationalError("gone"), OperationalError("still gone")])
    succeed = Entry.succeed

    def refuse_twice(self: Entry, *arguments: Any) -> bool:
        if error := next(refusals, None):
            raise error
        return succeed(self, *arguments)

    monkeypatch.setattr(connection, "close", lambda: None)
    monkeypatch.setattr(Entry, "succeed", refuse_twice)
    runner.run_entry(entry.job_id)
    entry.refresh_from_db()
    assert (entry.status, entry.attempt) == (Status.SUCCEEDED, 1)


def test_a_blink_while_the_files_are_stored_loses_nothing(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row's move is rolled back with the files; the object must not believe that it has moved."""
    entry = join()
    refusals = iter([OperationalError("gone")])
    manager = type(EntryFile.objects)
    bulk_create = manager.bulk_create

    def refuse_once(self: Any, *arguments: Any, **options: Any) -> Any:
        if error := next(refusals, None):
            raise error
        return bulk_create(self, *arguments, **options)

    monkeypatch.setattr(connection, "close", lambda: None)
    monkeypatch.setattr(manager, "bulk_create", refuse_once)
    runner.run_entry(entry.job_id)
    entry.refresh_from_db()
    assert (entry.status, entry.attempt, entry.files.count()) == (Status.SUCCEEDED, 1, 1)


def test_a_content_type_that_the_database_would_refuse_is_an_error_of_the_task(join: Join) -> None:
    entry = join()
    entry.start("w")
    with pytest.raises(ValueError, match="at most 100 characters"):
        Attempt(entry).save_file("a.txt", b"a", "text/" + "x" * 100)


def test_a_text_instead_of_bytes_is_told_the_line_to_write(join: Join) -> None:
    entry = join()
    entry.start("w")
    text: Any = "the rose"
    with pytest.raises(TypeError, match=r"a\.txt: the content is of type str, .* Write text\.encode\(\)"):
        Attempt(entry).save_file("a.txt", text, "text/plain")


def test_a_file_of_an_attempt_that_cannot_be_deleted_is_logged_and_keeps_no_other_one(
    join: Join, caplog: pytest.LogCaptureFixture
) -> None:
    entry = join()
    assert entry.start("w")
    attempt = Attempt(entry)
    for name in ("x.csv", "y.csv"):
        attempt.save_file(name, b"1", "text/csv")
    first, second = (Path(file.file.path) for file in attempt.files)
    first.unlink()
    (first / "inside").mkdir(parents=True)  # a folder that is not empty
    attempt.delete_files()
    assert not second.exists()
    assert "files of an attempt stay until its purge" in caplog.text
