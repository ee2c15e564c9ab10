"""Reading the memory beside the page of one line."""

from datetime import timedelta

import pytest
from django.utils import timezone

from queueing.history.books import locked, minute_of
from queueing.history.reading import spans, totals, trends
from queueing.history.sampling import sample
from queueing.models import LineMemory, LineMinute
from queueing.models.memory import MINUTE
from queueing.tally import total
from tests.support import past

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

NOW = minute_of(timezone.now())


def test_the_trend_of_every_line_has_the_last_hour_and_the_one_before(db: None) -> None:
    with locked(["probe"]) as books:
        for minutes, joined in ((0, 9), (1, 1), (3, 3), (60, 4), (61, 5), (120, 6), (121, 7)):
            tally = books.of("probe", NOW - timedelta(minutes=minutes))
            tally.joined, tally.details["waste_left"] = joined, joined * 1_000_000
    sample(NOW - MINUTE)
    found = trends(NOW)
    assert (found["probe"].last.tally.joined, found["probe"].before.tally.joined) == (1 + 3 + 4, 5 + 6)
    assert (found["probe"].last.tally.waste, found["probe"].before.tally.waste) == (8, 11)
    assert found["probe"].last.present == [None] * 59 + [0]
    assert found["tables"].before.tally.joined == 0


def test_the_open_minute_is_part_of_the_trend_once_it_is_over(db: None) -> None:
    past.fill("probe", NOW - 3 * MINUTE, 2)
    memory = LineMemory.objects.get(queue="probe")
    assert memory.open_at == NOW - 2 * MINUTE
    assert trends(NOW)["probe"].last.tally.joined == memory.tally().joined


def test_spans_are_whole_whatever_the_memory_has(db: None) -> None:
    made = past.fill("probe", NOW, 10)
    found = spans("probe", NOW - 5 * MINUTE, 5 * MINUTE, 4)
    assert [span.tally.joined for span in found] == [
        0,
        sum(tally.joined for tally in made[:5]),
        sum(tally.joined for tally in made[5:]),
        0,
    ]
    assert spans("nothing", NOW, MINUTE, 2)[1].tally.joined == 0


def test_totals_outlive_the_minutes(db: None) -> None:
    made = past.fill("probe", NOW, 5)
    LineMinute.objects.all().delete()
    assert totals()["probe"] == total(made)
