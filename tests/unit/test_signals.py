"""The signals of entries: each is sent after its move, and tells of nothing else."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.dispatch import Signal

from queueing import ending, signals
from queueing.keeper import timeline
from queueing.line import presence
from queueing.line.places import Line, get_line
from queueing.models import Entry
from queueing.states import Absence, Reason
from queueing.work import runner

pytestmark = pytest.mark.django_db(transaction=True)

Join = Callable[..., Entry]
NAMES = ("entry_held", "entry_returned", "entry_dropped", "entry_finished")


@pytest.fixture
def heard() -> Iterator[list[tuple[str, str, Any]]]:
    """All that the signals of entries have told: name, sender, and the codes or the entry's status in the database."""
    found: list[tuple[str, str, Any]] = []

    def receiver_of(name: str) -> Callable[..., None]:
        def hear(sender: str, entry: Entry | None = None, codes: Any = None, **_: Any) -> None:
            told = codes if entry is None else (entry.code, Entry.objects.get(pk=entry.pk).status)
            found.append((name, sender, told))

        return hear

    receivers: list[tuple[Signal, Any]] = [(getattr(signals, name), receiver_of(name)) for name in NAMES]
    for signal, receiver in receivers:
        signal.connect(receiver)
    yield found
    for signal, receiver in receivers:
        signal.disconnect(receiver)


def test_a_hold_and_a_return_are_told_by_the_keeper(join: Join, heard: list[Any]) -> None:
    entry, line = join(), get_line("probe")
    presence.close("probe", entry.job_id, Absence.CLOSED)
    presence.beat("probe", [entry.job_id], 10)
    assert heard == []
    timeline.write_notes(line)
    timeline.write_notes(line)  # each is told once
    assert heard == [("entry_held", "probe", [entry.code]), ("entry_returned", "probe", [entry.code])]


def test_a_drop_names_the_entries_that_were_dropped(join: Join, heard: list[Any]) -> None:
    waiting, running = join(), join()
    running.start("w1")
    ending.drop("probe", [waiting.job_id, running.job_id], Absence.LOST)
    assert heard == [("entry_dropped", "probe", [waiting.code])]


@pytest.mark.parametrize(("end", "status"), [("", "succeeded"), ("error", "failed")])
def test_the_end_of_a_run_is_told_once(join: Join, heard: list[Any], end: str, status: str) -> None:
    entry = join(end=end)
    runner.run_entry(entry.job_id)
    assert heard == [("entry_finished", "probe", (entry.code, status))]


def test_a_visitor_who_leaves_the_line_is_told_once(join: Join, heard: list[Any]) -> None:
    entry = join()
    ending.leave(entry)
    ending.leave(entry)
    assert heard == [("entry_finished", "probe", (entry.code, "cancelled"))]


def test_a_line_emptied_by_staff_tells_of_each_entry(join: Join, line: Line, heard: list[Any]) -> None:
    entries = [join(), join()]
    ending.cancel_emptied("probe", [entry.job_id for entry in entries])
    assert {told for _, _, told in heard} == {(entry.code, "cancelled") for entry in entries}
    assert Entry.objects.filter(reason=Reason.ENDED).count() == 2
