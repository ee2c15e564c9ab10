"""The page of one line's past, and its numbers as CSV."""

import csv
import re
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from queueing import site_time
from queueing.admin import charts
from queueing.admin.past import PERIODS, read
from queueing.history.books import minute_of
from queueing.tally import total
from tests.support import past
from tests.support.visitors import Visitor, staff

# The minute does not turn between what a test writes and what a page reads.
pytestmark = [pytest.mark.django_db, pytest.mark.postgres, pytest.mark.usefixtures("still_clock")]

PAGE = reverse("admin:queueing_line_page", args=["probe"])


def this_minute() -> datetime:
    return minute_of(site_time.now())


def numbers(period: str) -> list[dict[str, str]]:
    answer = staff("view").client.get(f"{PAGE}numbers.csv", {"period": period})
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.DictReader(answer.content.decode().splitlines()))


@pytest.mark.parametrize("period", PERIODS)
def test_the_spans_of_a_period_add_up_to_what_happened(db: None, period: str) -> None:
    length, number = PERIODS[period].length, PERIODS[period].number
    happened = total(past.fill("probe", this_minute() - timedelta(minutes=50), 50))
    past.fill("probe", this_minute() - length * number - timedelta(days=1), 10)  # earlier
    past.fill("tables", this_minute() - timedelta(minutes=50), 50)
    rows = numbers(period)
    assert len(rows) == number
    for name, value in (
        ("joined", happened.joined),
        ("error", 50),
        ("holds", 100),
        ("goodput_seconds", happened.goodput),
    ):
        assert sum(float(row[name]) for row in rows) == pytest.approx(value)
    starts = [datetime.fromisoformat(row["from"]) for row in rows]
    assert {after - before for before, after in pairwise(starts)} == {length}
    assert starts[-1] <= this_minute() < starts[-1] + length


@pytest.mark.parametrize("period", ["day", "month"])
@pytest.mark.parametrize("now", [datetime(2026, 10, 25, 12, 7, tzinfo=UTC), datetime(2026, 3, 29, 12, 7, tzinfo=UTC)])
def test_a_day_on_which_the_clocks_change_is_drawn_whole(db: None, period: str, now: datetime) -> None:
    past.fill("probe", now.replace(minute=0), 5)
    with timezone.override("Europe/Berlin"):
        found = read("probe", PERIODS[period], now)
        drawn = [charts.draw(plan, found) for plan in charts.PLANS]
    assert drawn
    lengths = {after.at - before.at for before, after in pairwise(found.spans)}
    assert lengths == {PERIODS[period].length}
    assert found.spans[-1].at <= now < found.spans[-1].at + PERIODS[period].length
    assert sum(span.tally.joined for span in found.spans) > 0


def test_unknown_numbers_are_empty_and_not_zero(db: None) -> None:
    past.fill("probe", this_minute() - timedelta(minutes=3), 1)
    with_sample, without = (
        next(row for row in numbers("hour") if (row["joined"] != "0") is is_known) for is_known in (True, False)
    )
    assert float(with_sample["present_mean"]) > 0
    assert without["present_mean"] == without["wait_p50_seconds"] == ""
    assert without["joined"] == "0"


@pytest.mark.parametrize("period", PERIODS)
def test_the_page_has_a_chart_and_a_table_for_each(db: None, period: str) -> None:
    past.fill("probe", this_minute() - timedelta(minutes=50), 50)
    answer = staff("view").client.get(PAGE, {"period": period})
    text = answer.content.decode()
    assert text.count('role="img"') == text.count("<summary>Table: ") == len(charts.PLANS)
    assert len(re.findall("<polyline", text)) > 12
    assert "The task raised an exception" in text
    assert "style=" not in text  # the policy of the site forbids it


def test_where_nobody_looked_there_is_a_gap_and_the_causes_of_leaving_are_told_apart(db: None) -> None:
    past.fill("probe", this_minute() - timedelta(minutes=3), 2)
    found = read("probe", PERIODS["hour"])
    drawn = {plan.name: charts.draw(plan, found) for plan in charts.PLANS}
    for name in ("moves", "causes", "worth"):
        for series in drawn[name].series:
            known = [number for number, value in enumerate(series.values) if value is not None]
            assert len(known) == 2, f"{name}: {series.name}"
    happened = total(span.tally for span in found.spans)
    left = {series.name: sum(filter(None, series.values)) for series in drawn["causes"].series}
    assert left == {words: happened.details[reason] for reason, words in charts.CAUSES.items()}
    assert sum(left.values()) == happened.gone


def test_the_charts_renew_themselves_with_the_parts_of_the_page(db: None) -> None:
    client = staff("view").client
    past.fill("probe", this_minute() - timedelta(minutes=50), 50)
    page = client.get(PAGE, {"period": "day"}).content.decode()
    (address,) = re.findall(r'data-live="([^"]+past[^"]+)"', page)
    told = client.get(address).json()
    assert set(told["parts"]) == set(re.findall(r'data-part="([^":]+)"', page)) - {"line", "workers", "sentence"}
    for html in told["parts"].values():
        assert html.strip() in page
    past.fill("probe", this_minute() - timedelta(minutes=90), 10)
    assert client.get(address).json()["parts"]["chart-moves"] != told["parts"]["chart-moves"]
    assert Visitor().client.get(address).status_code == 302


def test_a_line_without_a_past_says_so(db: None) -> None:
    text = staff("view").client.get(PAGE).content.decode()
    assert "Nothing is known for this time." in text
    assert 'aria-current="page">The last hour' in text


@pytest.mark.parametrize(
    "address", ["/admin/queueing/line/page/nothing/", f"{PAGE}?period=year", f"{PAGE}numbers.csv?period="]
)
def test_other_lines_and_periods_are_not_found(db: None, address: str) -> None:
    assert staff("view").client.get(address).status_code == 404


def test_visitors_are_sent_to_the_sign_in(db: None) -> None:
    assert Visitor().client.get(PAGE).status_code == 302


def test_a_month_of_minutes_is_read_in_time(db: None) -> None:
    past.fill("probe", this_minute() - timedelta(days=7), 7 * 24 * 60)
    began = time.thread_time()  # of this thread alone, whatever else the process and the machine do
    read("probe", PERIODS["month"])
    assert time.thread_time() - began < 1.5  # seconds of computing; a third of that on an idle machine


@pytest.mark.parametrize(
    ("largest", "scale"),
    [(0, (1, 1)), (1, (1, 0.5)), (4, (4, 1)), (7, (8, 2)), (8, (8, 2)), (9, (10, 5)), (1234, (1500, 500))],
)
def test_the_scale_has_round_numbers(largest: float, scale: tuple[float, float]) -> None:
    assert charts.scale_of(largest) == pytest.approx(scale)


@given(st.floats(1e-3, 1e9))
def test_the_scale_holds_the_largest_number_in_few_steps(largest: float) -> None:
    top, step = charts.scale_of(largest)
    assert largest <= top * (1 + 1e-6)
    assert top < 2 * largest + step
    assert round(top / step) <= charts.STEPS + 1


def test_a_gap_parts_a_line_and_one_number_alone_is_a_dot() -> None:
    lines, dots = charts.polylines([1, 2, None, 3, None, None, 4, 4], 4)
    assert [len(line.split()) for line in lines] == [2, 2]
    assert len(dots) == 1
    assert charts.written(None) == "\N{EN DASH}"
    assert [charts.written(value) for value in (0, 3, 0.123456, 12.34, 1234.5)] == ["0", "3", "0.123", "12.3", "1,234"]


def test_a_day_begins_with_a_quarter_of_an_hour_by_the_clock_of_the_site(db: None, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Kathmandu"  # 5:45 ahead
    now = datetime.fromisoformat("2026-03-01T12:05:20Z")
    with timezone.override("Asia/Kathmandu"):
        spans = read("probe", PERIODS["month"], now).spans
    assert spans[-1].at <= now < spans[-1].at + timedelta(hours=6)
    assert f"{timezone.localtime(spans[-1].at, timezone.get_default_timezone()):%H:%M}" in {"12:00", "18:00"}
