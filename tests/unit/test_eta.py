"""The expected wait: pure numbers."""

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queueing.eta import estimate, leave_rate, sentence
from tests.benchmarks.erlang import Person, play

RUNS = st.lists(st.floats(0.01, 10_000), min_size=3, max_size=50)


def wait(
    ahead: int = 0, busy: int = 1, workers: int = 1, rate: float = 0.0, runs: tuple[float, ...] = (60,) * 10
) -> Any:
    return estimate(ahead=ahead, busy=busy, workers=workers, run_seconds=runs, leave_rate=rate)


def test_the_range_holds_the_likely_wait_and_is_narrow() -> None:
    low, high = wait(ahead=4)
    assert low < 5 * 60 < high
    assert high - low < 4 * 60


def test_unknown_is_unknown() -> None:
    assert wait(workers=0) is None
    assert wait(runs=()) is None
    assert wait(runs=(1, 2)) is None
    assert sentence(None) == ""


def test_a_free_worker_means_no_wait() -> None:
    assert wait(ahead=0, busy=0) == (0, 2)
    assert wait(ahead=1, busy=1, workers=3) == (0, 2)
    assert wait(ahead=1, busy=2, workers=3) != (0, 2)


def test_more_workers_and_more_leavers_make_it_shorter() -> None:
    one, two = wait(ahead=9), wait(ahead=9, workers=2, busy=2)
    assert two[0] < one[0]
    assert two[1] < one[1]
    assert wait(ahead=9, rate=0.01)[1] < one[1]


def test_runs_that_differ_make_it_less_certain() -> None:
    steady, wild = wait(ahead=5), wait(ahead=5, runs=(10, 110) * 5)
    assert wild[0] < steady[0]
    assert wild[1] > steady[1]


def test_runs_of_no_time_are_no_error() -> None:
    assert wait(ahead=5, runs=(0.0, 0.0, 0.0)) == (0, 2)


def test_the_rate_of_leaving_is_found_in_the_waits_of_those_who_stayed() -> None:
    # Of 100 who all meet a wait of 60 s with a mean patience of 120 s, the share exp(-1/2) stays.
    stayed = round(100 * math.exp(-0.5))
    assert leave_rate([60] * stayed, left=100 - stayed) == pytest.approx(1 / 120, rel=0.02)
    assert leave_rate([60] * 10, left=0) == 0
    assert leave_rate([], left=10) == 0
    assert leave_rate([0.0] * 10, left=10) == 0


@given(
    ahead=st.integers(0, 500),
    busy=st.integers(0, 20),
    workers=st.integers(1, 20),
    runs=RUNS,
    rate=st.floats(0, 100),
)
def test_it_never_shrinks_with_the_line(ahead: int, busy: int, workers: int, runs: list[float], rate: float) -> None:
    shorter = wait(ahead, busy, workers, rate, tuple(runs))
    longer = wait(ahead + 1, busy, workers, rate, tuple(runs))
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


MEAN = 60.0
# Runs that differ a lot, a little, and not at all.
LAWS: dict[str, Callable[[random.Random], float]] = {
    "exponential": lambda chance: chance.expovariate(1 / MEAN),
    "narrow": lambda chance: chance.gammavariate(4, MEAN / 4),
    "constant": lambda chance: MEAN,
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("load", "patience", "workers"), [(1.5, 2, 2), (1.5, 20, 2), (3, 5, 8), (0.9, 500, 2)])
def test_the_range_is_right_more_often_than_not(law: str, load: float, patience: float, workers: int) -> None:
    """For crowds of the model (patience in mean runs), told at each one's arrival what was known by then."""
    chance, now, crowd = random.Random(1), 0.0, []  # noqa: S311  # numbers, no secrets
    for _ in range(2000):
        now += chance.expovariate(load * workers / MEAN)
        crowd.append(Person(now, LAWS[law](chance), chance.expovariate(1 / (patience * MEAN))))
    shown = [(true, told) for true, told in replay(crowd, workers)[100:] if told is not None]
    right = sum(told[0] <= true <= told[1] for true, told in shown)
    assert right / len(shown) >= 0.7


def replay(crowd: list[Person], workers: int) -> list[tuple[float, Any]]:
    """(wait, what was shown) of everybody who is served; who left is known to have left 10 s later."""
    waits, shown = play(crowd, workers), []
    starts = [p.arrival + (p.patience if wait is None else wait) for p, wait in zip(crowd, waits, strict=True)]
    ends = [s + (10 if wait is None else p.service) for p, s, wait in zip(crowd, starts, waits, strict=True)]
    for number, (person, true) in enumerate(zip(crowd, waits, strict=True)):
        if true is None:
            continue
        now, before = person.arrival, range(max(0, number - 300), number)
        over = sorted((n for n in before if ends[n] < now), key=lambda n: ends[n])
        served = [wait for n in over[-100:] if (wait := waits[n]) is not None]
        told = estimate(
            ahead=sum(starts[n] > now for n in before),
            busy=sum(waits[n] is not None and starts[n] <= now <= ends[n] for n in before),
            workers=workers,
            run_seconds=[crowd[n].service for n in over if waits[n] is not None][-50:],
            leave_rate=leave_rate(served, left=len(over[-100:]) - len(served)),
        )
        shown.append((true, told))
    return shown
