"""Notes of scripts and horses become lines of timelines."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError

from queueing.keeper import timeline
from queueing.line import presence
from queueing.line.places import Line
from queueing.models import Entry, EntryEvent
from queueing.states import Absence

pytestmark = pytest.mark.postgres

Join = Callable[..., Entry]


def test_a_visitor_who_comes_and_goes_fills_a_bounded_part_of_the_timeline(
    join: Join, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "MOST_LINES", 5)
    entry, other = join(), join()
    for _ in range(20):
        presence.close("probe", entry.job_id, Absence.CLOSED)
        presence.beat("probe", [entry.job_id], 10)
    presence.close("probe", other.job_id, Absence.LOST)
    timeline.write_notes(line)
    presence.close("probe", entry.job_id, Absence.CLOSED)
    timeline.write_notes(line)
    assert (entry.events.count(), other.events.count()) == (5, 1)
    last = entry.events.latest("id")
    assert (last.kind, last.times, last.words) == ("held", 37, "closed and 36 more until now")


def test_the_start_is_told_however_often_the_visitor_came_and_went(
    join: Join, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "MOST_LINES", 5)
    entry = join()
    for _ in range(10):
        presence.close("probe", entry.job_id, Absence.CLOSED)
        presence.beat("probe", [entry.job_id], 10)
    line.claim("w")
    line.end_claim("w", entry.job_id, started="attempt 1, w")
    timeline.write_notes(line)
    assert list(entry.events.values_list("kind", flat=True)) == ["held", "back", "held", "back", "held", "started"]


def test_notes_about_deleted_entries_and_foreign_jobs_are_dropped(join: Join, line: Line, valkey: Any) -> None:
    entry = join()
    presence.close("probe", entry.job_id, Absence.CLOSED)
    valkey.rpush(line.keys.notes, "1000:held:lost:nightly-report")
    entry.delete()
    assert timeline.write_notes(line) == 0


def test_notes_outlive_a_database_that_is_away(join: Join, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = join()
    presence.close("probe", entry.job_id, Absence.CLOSED)
    presence.beat("probe", [entry.job_id], 10)

    def refuse(*_: object, **__: object) -> None:
        raise OperationalError("gone")

    with monkeypatch.context() as away:
        away.setattr(type(EntryEvent.objects), "bulk_create", refuse)
        with pytest.raises(OperationalError):
            timeline.write_notes(line)
    assert timeline.write_notes(line) == 2
    assert list(entry.events.values_list("kind", flat=True)) == ["held", "back"]
