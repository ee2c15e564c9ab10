"""Attempts: what ends one, and that of two the later one has the row, and only its files are kept."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.tasks.signals import task_finished

from queueing import ending
from queueing.exceptions import VisitorLeft
from queueing.line import clients, keys
from queueing.models import Entry, EntryFile
from queueing.registry import Context
from queueing.states import Absence, Status
from queueing.testing.presence import go, stay, watch_since
from queueing.work import runner
from queueing.work.attempt import Attempt
from tests.support import probe
from tests.support.entries import status_of
from tests.support.files import stored_files
from tests.support.visitors import Visitor, url

Join = Callable[..., Entry]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


ends: list[str] = []  # the entries whose end was told to the listeners of django.tasks


def note_end(task_result: Any, **_: object) -> None:
    ends.append(task_result.id)


@pytest.fixture
def overtaken(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Visitor, Entry]]:
    """An entry whose first attempt saved files, lost its lease, and ended after the second attempt had succeeded."""
    visitor = Visitor()
    entry = visitor.join()
    ends.clear()

    def be_overtaken(context: Context) -> None:
        if context.attempt > 1:
            return
        context.save_file("early.txt", b"of the first attempt", "text/plain")
        assert ending.settle_orphan(Entry.objects.get(pk=entry.pk), "The lease ran out.")
        stay(entry)
        runner.run_entry(entry.job_id)
        assert Entry.objects.get(pk=entry.pk).status == Status.SUCCEEDED

    monkeypatch.setitem(probe.ENDS, "overtaken", be_overtaken)
    task_finished.connect(note_end)
    Entry.objects.filter(pk=entry.pk).update(kwargs={"label": "x", "end": "overtaken"})
    runner.run_entry(entry.job_id)
    yield visitor, entry
    task_finished.disconnect(note_end)


def test_only_the_files_of_the_attempt_that_succeeded_are_listed_served_and_kept(
    overtaken: tuple[Visitor, Entry],
) -> None:
    visitor, entry = overtaken
    assert (status_of(entry), entry.attempt, entry.result) == (Status.SUCCEEDED, 2, {"label": "x", "attempt": 2})
    assert [(file.attempt, file.name) for file in entry.files.all()] == [(2, "answer.txt")]
    answer = visitor.client.get(url(entry, "files/answer.txt"))
    assert answer.getvalue() == b"x\n"
    answer.close()
    assert visitor.client.get(url(entry, "files/early.txt")).status_code == 404
    kept = [path for path in stored_files() if str(entry.code) in path.parts and path.parent.name.isdigit()]
    assert [(path.parent.name, path.name) for path in kept] == [("2", "answer.txt")]


def test_a_file_of_the_same_name_from_an_older_attempt_is_not_served(overtaken: tuple[Visitor, Entry]) -> None:
    visitor, entry = overtaken
    old = EntryFile(entry=entry, attempt=1, name="answer.txt", content_type="text/plain", size=3)
    old.file.save("answer.txt", ContentFile(b"old"))
    answer = visitor.client.get(url(entry, "files/answer.txt"))
    assert (answer.status_code, answer.getvalue()) == (200, b"x\n")
    answer.close()


def test_an_attempt_that_was_overtaken_tells_nobody_of_an_end(overtaken: tuple[Visitor, Entry]) -> None:
    _, entry = overtaken
    assert ends == [str(entry.code)]


# Ends of a running attempt


@pytest.fixture
def running(join: Join) -> Attempt:
    entry = join()
    assert entry.start("w1")
    return Attempt(entry)


def test_a_stopped_entry_ends_its_task_at_the_next_report(running: Attempt) -> None:
    ending.leave(Entry.objects.get(pk=running.entry.pk))
    with pytest.raises(VisitorLeft):
        running.report(0.5, "half")


def be_gone(entry: Entry) -> None:
    """The visitor has been away for longer than the place is kept."""
    watch_since(1000)
    go(entry)
    clients.connection().set(keys.gone_key(entry.job_id), "1:1:closed")


def test_an_absence_that_is_over_ends_the_task(running: Attempt) -> None:
    be_gone(running.entry)
    with pytest.raises(VisitorLeft):
        running.report(0.5, "half")
    assert running.absence == Absence.CLOSED


def test_a_task_that_finishes_anyway_does_not_look_for_its_visitor(running: Attempt) -> None:
    running.entry.needs_presence = False
    be_gone(running.entry)
    running.report(0.5, "half")
