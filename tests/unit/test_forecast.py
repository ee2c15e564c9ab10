"""The forecast of a line's waits: pure numbers."""

import math
import random
import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queueing import eta
from queueing.forecast import TURNS, LineState, Worker, _Game, _Table, points_up_to, waits
from queueing.run_times import OngoingRun, known_runs

EVEN = (60.0,) * 20
# Runs from 30 to 90 s.
UNEVEN = tuple(30.0 + 3 * number for number in range(21))


def busy(age: float = 0.0, progress: float | None = None, *, line: str = "one", lines: tuple[str, ...] = ()) -> Worker:
    return Worker(lines or ("one",), OngoingRun(line, age, progress))


def wait(
    ahead: float,
    *workers: Worker,
    runs: tuple[float, ...] = UNEVEN,
    one: dict[str, Any] | None = None,
    two: dict[str, Any] | None = None,
) -> tuple[float, float]:
    """The range for that number ahead in the line "one". Both lines have 20 entries."""
    usual = LineState(waiting=20, runs=UNEVEN)
    states = {"one": replace(usual, **{"runs": runs} | (one or {})), "two": replace(usual, **two or {})}
    found = eta.look_up(waits("one", states, workers), ahead)
    assert found is not None
    return found


def width(told: tuple[float, float]) -> float:
    return told[1] - told[0]


# The work that goes on


def test_the_range_holds_the_likely_wait_and_is_narrow() -> None:
    low, high = wait(4, busy())
    assert low < 5 * 60 < high
    assert high - low < 4 * 60


def test_a_run_that_has_gone_on_for_long_ends_soon() -> None:
    assert wait(0, busy(75))[1] <= 15
    assert wait(0, busy(0))[0] >= 25


def test_progress_tells_when_a_run_ends() -> None:
    early, late = wait(0, busy(100, 0.1), runs=EVEN), wait(0, busy(100, 0.95), runs=EVEN)
    assert late[1] < 15
    assert early[0] > late[1]
    # It narrows the range.
    wild = (1.0, 200.0, 1000.0, 3600.0) * 10
    assert width(wait(0, busy(100, 0.9), runs=wild)) < 0.2 * width(wait(0, busy(100), runs=wild))


def test_a_run_that_is_longer_than_all_before_it_has_a_rest() -> None:
    low, high = wait(0, busy(500))
    assert 0 <= low < 100 < high < 3000


def test_more_workers_and_more_leavers_make_it_shorter() -> None:
    one, two = wait(9, busy()), wait(9, busy(), busy())
    assert two[0] < one[0]
    assert two[1] < one[1]
    assert wait(9, busy(), one={"leave_rate": 0.005, "left": 50})[1] < one[1]


def test_runs_that_differ_make_it_less_certain() -> None:
    assert width(wait(5, busy(), runs=(10.0, 110.0) * 10)) > 1.5 * width(wait(5, busy()))


def test_an_entry_of_a_dead_worker_comes_back_before_the_others() -> None:
    assert wait(0, busy(), one={"returning": 1})[0] > wait(0, busy())[1] - 30


# Several lines


def test_a_worker_asks_its_other_lines_first() -> None:
    mine = wait(0, busy(75, lines=("one", "two"), line="two"))
    assert mine[1] <= 15  # this line's turn comes when the run ends
    theirs = wait(0, busy(75, lines=("two", "one")))
    assert theirs[0] >= 30  # a run of the other line comes first


def test_a_line_that_shares_its_worker_moves_at_half_the_pace() -> None:
    alone, beside = wait(9, busy()), wait(9, busy(lines=("two", "one")))
    assert 1.6 < sum(beside) / sum(alone) < 2.4
    assert sum(wait(9, busy(lines=("two", "one")), two={"waiting": 0})) == pytest.approx(sum(alone), rel=0.1)


def test_visitors_who_are_still_to_come_to_the_other_line_count() -> None:
    nobody = {"waiting": 0}
    quiet = wait(9, busy(lines=("two", "one")), two=nobody)
    assert wait(9, busy(lines=("two", "one")), two=nobody | {"arrivals": 1 / 60})[0] > 1.3 * quiet[0]


def test_a_worker_of_another_line_takes_work_off_the_shared_one() -> None:
    shared = busy(lines=("two", "one"))
    alone = wait(9, shared, two={"waiting": 6})
    helped = wait(9, shared, *[busy(line="two", lines=("two",))] * 3, two={"waiting": 6})
    assert helped[1] < alone[1]


# Unknown waits


def test_without_workers_or_runs_nothing_is_forecast() -> None:
    assert waits("one", {"one": LineState(waiting=3, runs=EVEN)}, []) == []
    assert waits("one", {"one": LineState(waiting=3)}, [busy()]) == []
    assert waits("one", {"one": LineState(waiting=3, runs=EVEN)}, [Worker(("two",))]) == []


def test_the_first_visitor_of_all_is_told_by_the_typical_time_of_the_task() -> None:
    runs = known_runs((), (), 60)
    assert min(runs) < 60 < max(runs)
    low, high = wait(0, busy(), runs=runs)
    assert low < 60 < high
    assert high < 300


def test_the_first_visitor_of_all_is_told_by_the_progress_of_what_runs() -> None:
    assert known_runs((), (), None) == ()
    assert known_runs((), [OngoingRun("one", 30, 0.0), OngoingRun("one", 30, None)], None) == ()
    runs = known_runs((), [OngoingRun("one", 30, 0.5)], None)
    assert min(runs) < 60 < max(runs)
    low, high = wait(0, busy(30, 0.5), runs=runs)
    assert low < 30 < high


def test_runs_that_ended_take_the_place_of_what_was_supposed() -> None:
    assert known_runs((1, 2, 3, 4), (), 60) == (1, 2, 3, 4)
    assert len(known_runs((1, 2), (), 60)) == 4
    assert max(known_runs((1, 2), (), 60)) > 30
    assert max(known_runs((1, 2), (), None)) < 10


# Its form


def test_runs_of_no_time_are_no_error() -> None:
    assert wait(5, busy(), runs=known_runs((0.0,) * 5, (), None)) == pytest.approx((0, 2), abs=0.01)


def test_the_first_entries_have_points_of_their_own_and_ten_thousand_have_few() -> None:
    assert points_up_to(0)[:4] == [0, 1, 2, 3]
    points = points_up_to(10_000)
    assert points[:4] == [0, 1, 2, 3]
    assert points[-1] >= 10_000
    assert len(points) < 40


def test_the_same_line_has_the_same_forecast() -> None:
    assert wait(3, busy(10)) == wait(3, busy(10))


def test_behind_the_entries_that_are_played_one_by_one_it_goes_on_as_before() -> None:
    """500 runs of 60 s on two workers, and 300 with leavers: the sum of 1 / (c/m + j L), by W. Whitt, 1999."""
    low, high = wait(500, busy(), busy(), runs=EVEN, one={"waiting": 500})
    assert (low + high) / 2 == pytest.approx(500 * 30, rel=0.01)
    rate = 1 / 3600
    expected = sum(1 / (2 / 60 + number * rate) for number in range(300))
    low, high = wait(300, busy(), busy(), runs=EVEN, one={"waiting": 300, "leave_rate": rate, "left": 1000})
    assert (low + high) / 2 == pytest.approx(expected, rel=0.05)


@settings(max_examples=30)
@given(
    waiting=st.integers(0, 3000),
    workers=st.lists(st.sampled_from([busy(), busy(9, 0.5), busy(line="two"), Worker(("two", "one"))]), min_size=1),
    runs=st.lists(st.floats(0.01, 10_000), min_size=1, max_size=50),
    rate=st.floats(0, 10),
)
def test_it_never_shrinks_with_the_line(waiting: int, workers: list[Worker], runs: list[float], rate: float) -> None:
    line = LineState(waiting=waiting, runs=tuple(runs), leave_rate=rate, left=5)
    curve = waits("one", {"one": line, "two": LineState(runs=(1.0,))}, workers[:8])
    lows, highs = [low for _, low, _ in curve], [high for _, _, high in curve]
    assert all(0 <= low <= high for low, high in zip(lows, highs, strict=True))
    assert lows == sorted(lows)
    assert highs == sorted(highs)


# The work of a forecast


class TooManyCallsError(Exception):
    pass


def assert_calls(act: Callable[[], object], *, most: int) -> None:
    """Stop `act` when it has made so many calls of functions: draws, turns, sums. They are work, however fast."""
    calls = 0

    def count(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")
        if calls > most:
            raise TooManyCallsError

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(before)


def test_quick_runs_of_another_line_do_not_prolong_a_forecast() -> None:
    """While the shared worker works for an hour, the worker of the other line alone has 7,200 turns."""
    shared = Worker(("one", "two"), OngoingRun("one", 0))
    states = {
        "one": LineState(waiting=9, runs=(3600.0,) * 20),
        "two": LineState(waiting=10_000, runs=(0.5,) * 20, arrivals=2.0),
    }
    crew = [shared, Worker(("two",))]
    assert_calls(lambda: waits("one", states, crew), most=500_000)
    found = eta.look_up(waits("one", states, crew), 0)
    assert found is not None
    assert 3000 < found[0] <= found[1] < 4200


HOUR, MILLISECOND = (3600.0,) * 20, (0.001,) * 20
LINES = tuple(f"line {number}" for number in range(20))


@pytest.mark.parametrize("leave_rate", [0.0, 0.5])
@pytest.mark.parametrize("runs", [HOUR, MILLISECOND])
@pytest.mark.parametrize("served", [[LINES], [LINES[:2], LINES[1:]], [LINES[:1], LINES[1:], LINES]])
def test_the_work_of_a_forecast_is_bounded(
    served: list[tuple[str, ...]], runs: tuple[float, ...], leave_rate: float
) -> None:
    """20 lines of 10,000 on 100 workers, with rests of an hour and runs of a millisecond."""
    usual = LineState(waiting=10_000, runs=MILLISECOND, arrivals=1000.0, leave_rate=leave_rate, left=9, returning=50)
    states = dict.fromkeys(LINES, usual) | {LINES[0]: replace(usual, runs=runs)}
    rest = OngoingRun(LINES[0], 1800, 0.3)
    crew = [Worker(served[number % len(served)], rest if number % 2 else None) for number in range(100)]
    table = _Table(LINES[0], states, crew)
    games = [_Game(table, random.Random(seed)) for seed in range(50)]  # noqa: S311  # numbers, no secrets
    assert max(game.turns for game in games) <= TURNS
    assert_calls(lambda: waits(LINES[0], states, crew), most=1_000_000)
    curve = waits(LINES[0], states, crew)
    assert [low for _, low, _ in curve] == sorted(low for _, low, _ in curve)
    assert all(0 <= low <= high < math.inf for _, low, high in curve)


def test_when_the_turns_are_used_up_it_goes_on_as_before() -> None:
    """40 entries of dead workers and 40 ahead, on a worker that asks four lines: 320 turns of a minute."""
    lines = ("two", "three", "four", "one")
    usual = LineState(waiting=1000, runs=EVEN)
    states = dict.fromkeys(lines, usual) | {"one": replace(usual, waiting=50, returning=40)}
    found = eta.look_up(waits("one", states, [Worker(lines)]), 40)
    assert found is not None
    assert sum(found) / 2 == pytest.approx(80 * 4 * 60, rel=0.05)


def test_workers_of_other_lines_leave_the_shared_one_what_they_cannot_do() -> None:
    """Six entries a minute come to the other line, and its own worker serves one of them."""
    shared, own = busy(lines=("two", "one")), busy(line="two", lines=("two",))
    both = wait(9, shared, own, two={"waiting": 20, "arrivals": 0.1})
    assert sum(both) == pytest.approx(sum(wait(9, shared, two={"waiting": 1000})), rel=0.1)
    rare = wait(9, shared, own, two={"waiting": 0, "arrivals": 1 / 600})
    assert sum(rare) == pytest.approx(sum(wait(9, shared, two={"waiting": 0})), rel=0.15)
