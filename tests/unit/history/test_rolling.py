"""Minutes become hours after a week, and hours go after HISTORY_TTL; nothing is lost on the way."""

import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from queueing import site_time
from queueing.history import rolling
from queueing.history.books import hour_of, locked
from queueing.models import LineMemory, LineMinute
from queueing.tally import Tally, total

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

NOW = hour_of(timezone.now())
WEEK_AGO = NOW - timedelta(days=7)


@pytest.fixture(autouse=True)
def _half_past(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hour does not turn meanwhile, and the minute that is open is a later one than those of the tests."""
    monkeypatch.setattr(site_time, "now", lambda: NOW + timedelta(minutes=30))
    note(NOW)


def note(at: datetime, *, joined: int = 0, failed: int = 0) -> None:
    with locked(["probe"]) as books:
        books.of("probe", at).add(Tally(joined=joined, failed=failed))


def note_each_minute(first: datetime, minutes: int) -> None:
    with locked(["probe"]) as books:
        for number in range(minutes):
            tally = books.of("probe", first + timedelta(minutes=number))
            tally.add(Tally(joined=number, samples=1, present=4))
            tally.waits.note(number + 1)
            tally.details["goodput"] += 1000


def roll_up() -> bool:
    return rolling.roll_up(until=time.monotonic() + 60)


def spans() -> list[tuple[timedelta, int]]:
    """The rows by age before now."""
    return [(NOW - row.at, row.span) for row in LineMinute.objects.order_by("at")]


def test_minutes_older_than_a_week_become_hours(db: None) -> None:
    note_each_minute(WEEK_AGO - timedelta(hours=2), 180)
    before = total(row.tally() for row in LineMinute.objects.all())
    assert roll_up()
    rows = list(LineMinute.objects.order_by("at"))
    assert [(row.at, row.span) for row in rows[:3]] == [
        (WEEK_AGO - timedelta(hours=2), 60),
        (WEEK_AGO - timedelta(hours=1), 60),
        (WEEK_AGO, 1),
    ]
    assert len(rows) == 2 + 60
    assert total(row.tally() for row in rows) == before
    assert rows[1].tally().joined == sum(range(60, 120))
    assert rows[1].tally().mean("present") == 4
    assert roll_up()
    assert [row.pk for row in LineMinute.objects.order_by("at")] == [row.pk for row in rows]


def test_a_backlog_is_rolled_up_in_steps_of_whole_hours(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rolling, "BATCH", 90)
    note_each_minute(WEEK_AGO - timedelta(hours=5), 300)
    before = total(row.tally() for row in LineMinute.objects.all())
    assert not rolling.roll_up(until=0)  # one step
    assert sorted({row.span for row in LineMinute.objects.all()}) == [1, 60]
    assert total(row.tally() for row in LineMinute.objects.all()) == before
    assert roll_up()
    assert [span for _, span in spans()] == [60] * 5
    assert total(row.tally() for row in LineMinute.objects.all()) == before


def test_an_event_that_is_noted_after_a_week_is_in_its_hour(db: None) -> None:
    note_each_minute(WEEK_AGO - timedelta(hours=1), 60)
    roll_up()
    note(WEEK_AGO - timedelta(minutes=20), failed=1)
    note(WEEK_AGO - timedelta(hours=3, minutes=20), failed=1)
    assert [(row.at, row.span, row.failed) for row in LineMinute.objects.order_by("at")] == [
        (WEEK_AGO - timedelta(hours=4), 60, 1),
        (WEEK_AGO - timedelta(hours=1), 60, 1),
    ]


def test_numbers_past_their_time_go_and_the_totals_stay(db: None, settings: Any) -> None:
    settings.QUEUEING = {"HISTORY_TTL": 10 * 86_400}
    for days in (11, 9, 1):
        note(NOW - timedelta(days=days), joined=days)
    roll_up()
    assert [row.joined for row in LineMinute.objects.order_by("at")] == [9, 1]
    assert LineMemory.objects.get().tally().joined == 21
