"""The expected wait: looked up, and in words."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queueing.eta import Wait, leave_rate, look_up, return_share, sentence

WAITS = ((0, 1.0, 30.0), (1, 20.0, 70.0), (4, 110.0, 210.0))


@pytest.mark.parametrize(
    ("ahead", "wait"),
    [
        (0, (1, 30)),
        (1, (20, 70)),
        (0.5, (10.5, 50)),
        (2, (50, 116 + 2 / 3)),
        (4, (110, 210)),
        (7, (200, 350)),  # the line has grown since the forecast
    ],
)
def test_a_wait_lies_between_those_of_the_nearest_points(ahead: float, wait: tuple[float, float]) -> None:
    assert look_up(WAITS, ahead) == pytest.approx(wait)


def test_without_a_forecast_the_wait_is_unknown() -> None:
    assert look_up((), 3) is None
    assert sentence(None) == ""


def test_the_end_of_a_range_is_never_sooner_than_a_worker_could_be_there() -> None:
    assert look_up(((0, 0.0, 0.1), (1, 0.0, 0.2)), 1) == (0, 2)


@given(st.integers(0, 20_000))
def test_it_never_shrinks_with_the_line(ahead: int) -> None:
    shorter, longer = look_up(WAITS, ahead), look_up(WAITS, ahead + 1)
    assert shorter
    assert longer
    assert shorter[0] <= shorter[1]
    assert shorter[0] <= longer[0]
    assert shorter[1] <= longer[1]


def test_the_rate_of_leaving_is_found_in_the_waits_of_those_who_stayed() -> None:
    # Of 100 who all meet a wait of 60 s with a mean patience of 120 s, the share exp(-1/2) stays.
    stayed = round(100 * math.exp(-0.5))
    assert leave_rate([60] * stayed, left=100 - stayed) == pytest.approx(1 / 120, rel=0.02)
    assert leave_rate([60] * 10, left=0) == 0
    assert leave_rate([], left=10) == 0
    assert leave_rate([0.0] * 10, left=10) == 0


def test_the_share_of_those_who_come_back_is_one_half_until_some_have_been_held() -> None:
    assert return_share(0, 0) == 0.5
    assert return_share(90, 100) == pytest.approx(0.9, abs=0.02)
    assert return_share(0, 100) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0, 2, "a few seconds"),
        (5, 40, "less than a minute"),
        (20, 60, "up to 1 minute"),
        (20, 100, "up to 2 minutes"),
        (130, 250, "about 2 to 5 minutes"),
        (1800, 3590, "about 30 to 60 minutes"),
        (3000, 3700, "up to 2 hours"),
        (7300, 12_000, "about 2 to 4 hours"),
    ],
)
def test_the_range_in_words(low: float, high: float, text: str) -> None:
    assert sentence(Wait(low, high)) == text
