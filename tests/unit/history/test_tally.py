"""Tallies and sketches add up, and survive being packed."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queueing.sketch import Sketch
from queueing.tally import COLUMNS, DETAILS, Tally, total, unpacked

NUMBERS = st.integers(0, 2**50)
SECONDS = st.floats(0.001, 1e7)
DURATIONS = st.lists(SECONDS, max_size=30)


def sketch_of(durations: list[float]) -> Sketch:
    sketch = Sketch()
    for seconds in durations:
        sketch.note(seconds)
    return sketch


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    return Tally(
        **{name: draw(NUMBERS) for name in COLUMNS},
        details=Counter(draw(st.dictionaries(st.sampled_from(DETAILS), st.integers(1, 2**50)))),
        waits=sketch_of(draw(DURATIONS)),
        runs=sketch_of(draw(DURATIONS)),
    )


@given(tallies())
def test_a_packed_tally_is_the_same(tally: Tally) -> None:
    assert unpacked({name: getattr(tally, name) for name in COLUMNS}, tally.pack()) == tally


@given(st.lists(tallies(), max_size=4))
def test_tallies_add_up_whatever_the_order(parts: list[Tally]) -> None:
    assert total(parts) == total(reversed(parts))
    assert total(parts).details["goodput"] == sum(part.details["goodput"] for part in parts)
    assert total(parts).waits.number == sum(part.waits.number for part in parts)


def test_an_empty_minute_takes_three_bytes() -> None:
    assert len(Tally().pack()) == 3
    assert unpacked({}, b"") == Tally()


@given(st.lists(SECONDS, min_size=1, max_size=200), st.floats(0, 1))
def test_a_quantile_is_off_by_the_width_of_a_bucket_at_most(durations: list[float], share: float) -> None:
    """Beside the true one: that of the rank below, or above."""
    found = sketch_of(durations).quantile(share)
    ordered = sorted(durations)
    rank = share * len(ordered)
    below, above = ordered[max(0, math.ceil(rank) - 1)], ordered[min(len(ordered) - 1, math.floor(rank))]
    assert found is not None
    assert below / 1.1893 <= found <= above * 1.1893


@given(DURATIONS, SECONDS)
def test_a_duration_can_be_taken_back(durations: list[float], other: float) -> None:
    sketch = sketch_of([*durations, other])
    sketch.note(other, -1)
    assert list(sketch.pairs()) == list(sketch_of(durations).pairs())


def test_without_durations_there_is_no_quantile() -> None:
    assert Sketch().quantile(0.5) is None
    assert Sketch().spread(4) == ()


def test_a_spread_stands_for_all() -> None:
    spread = sketch_of([10.0] * 50 + [100.0] * 50).spread(4)
    assert spread == pytest.approx((10, 10, 100, 100), rel=0.19)
