"""Reading the memory beside the page of one line."""

from datetime import timedelta

import pytest
from django.utils import timezone

from queueing.history.books import locked, minute_of
from queueing.history.reading import spans, totals, trends
from queueing.history.sampling import sample
from queueing.models import LineMinute
from queueing.models.memory import MINUTE
from queueing.tally import total
from tests.support import past

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

NOW = minute_of(timezone.now())


def test_the_trend_of_every_line_ends_with_the_last_whole_minute(db: None) -> None:
    with locked(["probe"]) as books:
        for minutes, joined in ((0, 9), (1, 1), (3, 3), (4, 4), (5, 5)):
            books.of("probe", NOW - timedelta(minutes=minutes)).joined = joined
    sample(NOW - MINUTE)
    found = trends(4, now=NOW)
    assert found["probe"].joined == [4, 3, 0, 1]
    assert found["probe"].present == [None, None, None, 0]
    assert found["tables"].joined == [0] * 4


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
