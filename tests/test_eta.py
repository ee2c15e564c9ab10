"""The expected wait: pure numbers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queueing.eta import estimate, sentence

RUNS = st.lists(st.floats(0.01, 10_000), min_size=3, max_size=50)


def wait(
    ahead: int = 0, running: int = 1, workers: int = 1, share: float = 0.0, runs: tuple[float, ...] = (60,) * 10
) -> Any:
    return estimate(ahead=ahead, running=running, workers=workers, run_seconds=runs, leave_share=share)


def test_it_works() -> None:
    low, high = wait(ahead=4)
    assert low < 5 * 60 < high
    assert high - low < 4 * 60


def test_unknown_is_unknown() -> None:
    assert wait(workers=0) is None
    assert wait(runs=()) is None
    assert wait(runs=(1, 2)) is None
    assert sentence(None) == ""


def test_a_free_worker_means_no_wait() -> None:
    assert wait(ahead=0, running=0) == (0, 2)
    assert wait(ahead=1, running=1, workers=3) == (0, 2)
    assert wait(ahead=1, running=2, workers=3) != (0, 2)


def test_more_workers_and_more_leavers_make_it_shorter() -> None:
    one, two = wait(ahead=9), wait(ahead=9, workers=2, running=2)
    assert two[0] < one[0]
    assert two[1] < one[1]
    assert wait(ahead=9, share=0.5)[1] < one[1]


def test_runs_that_differ_make_it_less_certain() -> None:
    steady, wild = wait(ahead=5), wait(ahead=5, runs=(10, 110) * 5)
    assert wild[0] < steady[0]
    assert wild[1] > steady[1]


@given(
    ahead=st.integers(0, 500),
    running=st.integers(0, 20),
    workers=st.integers(1, 20),
    runs=RUNS,
    share=st.floats(0, 1),
)
def test_it_never_shrinks_with_the_line(
    ahead: int, running: int, workers: int, runs: list[float], share: float
) -> None:
    shorter = wait(ahead, running, workers, share, tuple(runs))
    longer = wait(ahead + 1, running, workers, share, tuple(runs))
    assert 0 <= shorter[0] <= shorter[1]
    assert shorter[0] <= longer[0] + 1e-6
    assert shorter[1] <= longer[1] + 1e-6


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
    assert sentence((low, high)) == text
