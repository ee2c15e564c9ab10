"""The queue as a backend of django.tasks."""

import importlib
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.tasks import TaskResultStatus, default_task_backend, task, task_backends
from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist, TaskResultMismatch
from django.tasks.signals import task_enqueued, task_finished, task_started

from queueing import ending, registry, results
from queueing.backend import PresenceBackend
from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Reason, Status
from queueing.work import runner
from tests.support.probe import entered, probe, types_of
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


def status_of(result: Any) -> TaskResultStatus:
    status: TaskResultStatus = result.status
    return status


def job_id(result: Any) -> str:
    return str(result.id).replace("-", "")


@pytest.fixture
def signals() -> Iterator[list[tuple[str, Any]]]:
    """(signal, status) of every signal that is sent."""
    seen: list[tuple[str, Any]] = []
    receivers = []
    for name, signal in (("enqueued", task_enqueued), ("started", task_started), ("finished", task_finished)):

        def note(sender: Any, task_result: Any, name: str = name, **_: Any) -> None:
            assert sender is PresenceBackend
            seen.append((name, task_result.status))

        signal.connect(note)
        receivers.append((signal, note))
    yield seen
    for signal, note in receivers:
        signal.disconnect(note)


def test_an_enqueued_task_waits_in_the_line_runs_and_returns_its_value(
    line: Line, signals: list[tuple[str, Any]]
) -> None:
    result = probe.enqueue(label="hello")
    assert status_of(result) == TaskResultStatus.READY
    assert line.ids() == [job_id(result)]
    runner.run_entry(job_id(result))
    result.refresh()
    assert status_of(result) == TaskResultStatus.SUCCESSFUL
    assert result.return_value == {"label": "hello", "attempt": 1}
    assert result.attempts == 1
    assert result.is_finished
    assert [name for name, _ in signals] == ["enqueued", "started", "finished"]
    assert probe.get_result(result.id).return_value == result.return_value


def test_an_abandoned_entry_is_a_failed_result_that_says_why(signals: list[tuple[str, Any]]) -> None:
    result = probe.enqueue()
    Entry.objects.get().abandon(Reason.CLOSED)
    result.refresh()
    assert result.status == TaskResultStatus.FAILED
    assert result.errors[0].exception_class.__name__ == "VisitorAbandoned"
    assert "CLOSE_GRACE" in result.errors[0].traceback
    assert "finished" not in [name for name, _ in signals]  # it never ran


def test_a_cancelled_entry_is_a_failed_result_that_says_why() -> None:
    result = probe.enqueue()
    Entry.objects.get().cancel()
    result.refresh()
    assert result.errors[0].exception_class.__name__ == "VisitorCancelled"


def test_a_task_that_raised_has_its_error_in_the_result(signals: list[tuple[str, Any]]) -> None:
    result = probe.enqueue(end="error")
    runner.run_entry(job_id(result))
    result.refresh()
    assert result.status == TaskResultStatus.FAILED
    assert result.errors[0].exception_class is RuntimeError
    assert "secret detail" in result.errors[0].traceback
    with pytest.raises(ValueError, match="failed"):
        _ = result.return_value
    assert signals[-1] == ("finished", TaskResultStatus.FAILED)


def test_priority_decides_the_place(line: Line) -> None:
    late = probe.enqueue()
    first = probe.using(priority=10).enqueue()
    assert line.ids() == [job_id(first), job_id(late)]
    assert default_task_backend.supports_priority


def test_unknown_results_and_results_of_other_tasks_are_refused() -> None:
    with pytest.raises(TaskResultDoesNotExist):
        probe.get_result("no-such-id")
    with pytest.raises(TaskResultDoesNotExist):
        probe.get_result("00000000-0000-4000-8000-000000000000")
    result = probe.enqueue()
    with pytest.raises(TaskResultMismatch):
        registry.get_task("tables").task.get_result(result.id)


@pytest.mark.parametrize("moment", [5, timedelta(seconds=5), "2026-01-01"])
def test_a_moment_of_another_type_is_refused_in_one_sentence(moment: Any) -> None:
    with pytest.raises(InvalidTask, match=r"is no moment\. Write run_after=timezone\.now\(\)"):
        probe.using(run_after=moment)


@pytest.mark.parametrize("priority", ["high", 1.5])
def test_a_priority_that_is_no_number_is_refused_in_one_sentence(priority: Any) -> None:
    with pytest.raises(InvalidTask, match=r"is no whole number\. Write priority=10: -100 to 100"):
        probe.using(priority=priority)
    with pytest.raises(InvalidTask, match=r"is no whole number"):
        task(queue_name="probe", priority=priority)(fine)


def fine() -> None:
    """A function that could be a task."""


def test_what_the_backend_cannot_do_is_refused() -> None:
    with pytest.raises(InvalidTask):
        probe.using(queue_name="nowhere")
    with pytest.raises(TypeError):
        probe.enqueue(label=object())  # type: ignore[arg-type]  # the very mistake
    with pytest.raises(ImproperlyConfigured, match="typo"):
        PresenceBackend("default", {"OPTIONS": {"typo": True}})


def test_a_task_without_a_visitor_needs_no_presence_when_its_backend_says_so(line: Line) -> None:
    result = probe.using(backend="unattended").enqueue()
    assert line.client.pttl(f"presence:{job_id(result)}") == -1
    assert task_backends["unattended"].options == {"needs_presence": False}
    runner.run_entry(job_id(result))
    result.refresh()
    assert status_of(result) == TaskResultStatus.SUCCESSFUL
    assert not line.client.exists(f"presence:{job_id(result)}")


def test_nothing_is_placed_when_the_transaction_rolls_back(line: Line) -> None:
    def enqueue_and_fail() -> None:
        with transaction.atomic():
            probe.enqueue()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        enqueue_and_fail()
    assert line.count_entries() == 0
    assert not Entry.objects.exists()


def test_a_task_that_its_visitor_stops_is_finished_too(signals: list[tuple[str, Any]]) -> None:
    result = probe.enqueue(label="long", seconds=60)
    stopper = threading.Thread(target=_leave)
    stopper.start()
    runner.run_entry(job_id(result))
    stopper.join()
    result.refresh()
    assert result.errors[0].exception_class.__name__ == "VisitorCancelled"
    assert signals[-1] == ("finished", TaskResultStatus.FAILED)


def _leave() -> None:
    """The visitor leaves when the task runs."""
    wait_for(lambda: entered("long"))
    ending.leave(Entry.objects.get())
    connection.close()


def test_dates_decimals_and_uuids_reach_the_function_as_what_they_were() -> None:
    code, at = uuid.UUID(int=7), datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    result = types_of.enqueue(date(2026, 1, 2), at, price=Decimal("1.50"), code=code, most=[1, timedelta(hours=1)])
    assert result.kwargs["price"] == Decimal("1.50")
    runner.run_entry(job_id(result))
    result.refresh()
    assert result.return_value == {
        "0": "date 2026-01-02",
        "1": f"datetime {at}",
        "price": "Decimal 1.50",
        "code": f"UUID {code}",
        "most": f"list {[1, timedelta(hours=1)]}",
    }


@pytest.mark.parametrize(
    ("send", "name"),
    [
        (partial(types_of.enqueue, 1, most={1, 2}), "'most' of tests.support.probe.types_of"),
        (partial(types_of.enqueue, 1, {1, 2}), "'values[1]' of tests.support.probe.types_of"),
    ],
)
def test_an_argument_that_cannot_travel_is_named_and_nothing_is_stored(send: Callable[[], object], name: str) -> None:
    with pytest.raises(TypeError, match=re.escape(f"argument {name}")):
        send()
    assert not Entry.objects.exists()


@pytest.mark.parametrize(
    ("args", "kwargs"), [((), {"lable": "x"}), ((), {"label": "x", "context": 1}), ((1,) * 20, {})]
)
def test_arguments_that_the_function_does_not_take_are_refused_before_anything_is_stored(
    args: tuple[int, ...], kwargs: dict[str, Any]
) -> None:
    with pytest.raises(TypeError, match=r"tests\.support\.probe\.probe cannot be called so: "):
        probe.enqueue(*args, **kwargs)
    assert not Entry.objects.exists()


def test_the_result_names_the_backend_that_was_used() -> None:
    result = probe.using(backend="attended").enqueue()
    assert result.backend == "attended"
    result.refresh()
    assert result.backend == result.task.backend == "attended"
    assert task_backends["attended"].get_result(result.id).backend == "attended"
    assert probe.enqueue().backend == "default"


def test_a_backend_that_is_no_longer_in_the_settings_keeps_no_entry_from_running(line: Line) -> None:
    result = probe.enqueue(label="x")
    Entry.objects.update(backend="gone")
    runner.run_entry(job_id(result))
    assert Entry.objects.get().status == "succeeded"


@pytest.mark.parametrize("module", ["__main__", "django.core.management.commands.shell", "tests.unit.test_backend"])
def test_a_function_that_a_worker_could_not_import_is_refused_before_anything_is_stored(module: str) -> None:
    def add(a: int, b: int) -> int:
        return a + b

    add.__module__, add.__qualname__ = module, "add"
    typed_into_a_shell = task(queue_name="probe")(add)
    with pytest.raises(InvalidTask, match=rf"cannot import this task as {module}\.add\. Put the function"):
        typed_into_a_shell.enqueue(1, 2)
    assert not Entry.objects.exists()


ENDLESS = """
from django.tasks import task

@task(queue_name="probe")
def add(a, b):
    return a + b

result = add.enqueue(2, 3)
"""


def test_a_module_that_enqueues_its_own_task_is_refused_while_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each worker that imports it would enqueue one more, without end."""
    (tmp_path / "endless_sums.py").write_text(ENDLESS)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InvalidTask, match=r"endless_sums\.add is enqueued while its own module is being imported: "):
        importlib.import_module("endless_sums")
    assert not Entry.objects.exists()


def test_another_module_may_enqueue_while_it_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sums.py").write_text(ENDLESS.partition("result")[0])
    (tmp_path / "caller_of_sums.py").write_text("import sums\nresult = sums.add.enqueue(2, 3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    result = importlib.import_module("caller_of_sums").result
    runner.run_entry(job_id(result))
    result.refresh()
    assert result.return_value == 5


def test_a_line_that_the_backend_lacks_is_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_backends["default"], "queues", {"tables"})
    with pytest.raises(InvalidTask, match=re.escape("""TASKS["default"]["QUEUES"] = ['probe', 'tables']""")):
        probe.enqueue()


def test_one_line_to_paste_mends_all_lines_that_no_backend_has(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_backends["default"], "queues", {"mails"})
    settings.TASKS = {"default": settings.TASKS["default"] | {"QUEUES": ["mails"]}}
    with pytest.raises(InvalidTask, match=re.escape("= ['documents', 'mails', 'probe', 'tables']")):
        probe.enqueue()


def test_a_function_whose_name_another_one_has_is_refused() -> None:
    def probe(label: str = "") -> None:
        """Another function than the module has by this name."""

    probe.__module__, probe.__qualname__ = "tests.support.probe", "probe"
    with pytest.raises(InvalidTask, match="cannot import"):
        task(queue_name="probe")(probe).enqueue()


@pytest.mark.parametrize("backend", ["immediate.ImmediateBackend", "dummy.DummyBackend"])
def test_an_entry_runs_though_its_backend_has_other_queues_now(
    backend: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was enqueued before the site had a TASKS of its own, whose default one makes no entries."""
    result = types_of.enqueue(1)
    ours = settings.TASKS["default"]
    settings.TASKS = {"default": {"BACKEND": f"django.tasks.backends.{backend}"}, "queue": ours}
    monkeypatch.setattr("tests.support.probe.types_of", types_of.using(backend="queue"))
    runner.run_entry(job_id(result))
    entry = Entry.objects.get(code=result.id)
    assert (entry.status, entry.result) == (Status.SUCCEEDED, {"0": "int 1"})
    assert results.result_of(entry).status == TaskResultStatus.SUCCESSFUL


def test_a_result_is_found_by_the_code_of_its_entry() -> None:
    result = probe.enqueue()
    assert probe.get_result(uuid.UUID(result.id)).id == result.id  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"QUEUES": "probe"}, 'TASKS["queue"]["QUEUES"] is a text. Write a list: ["probe"]'),
        ({"OPTIONS": {"need_presence": True}}, "The only one is needs_presence."),
    ],
)
def test_a_backend_that_is_misspelt_is_told_what_to_write(change: dict[str, Any], sentence: str, settings: Any) -> None:
    settings.TASKS = {"queue": settings.TASKS["default"] | change}
    with pytest.raises(ImproperlyConfigured, match=re.escape(sentence)):
        task_backends["queue"]
