"""The recent runs of a line: how long each kept a worker busy."""

from datetime import UTC, datetime, timedelta

from queueing.keeper.recent import Run, busy_seconds

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def run(started: float, finished: float, *, joined: float = 0, worker: str = "one") -> Run:
    return Run([worker], *(NOON + timedelta(seconds=seconds) for seconds in (joined, started, finished)))


def test_busy_seconds_are_the_turnarounds_of_a_busy_worker() -> None:
    assert busy_seconds([run(1, 4), run(5, 7), run(8, 12)]) == (4, 3, 5)


def test_a_worker_without_work_is_not_busy() -> None:
    assert busy_seconds([run(1, 4), run(50, 52, joined=50)]) == (3, 2)


def test_the_turnaround_is_that_of_one_worker() -> None:
    assert busy_seconds([run(1, 4), run(2, 9, worker="two"), run(5, 6)]) == (4, 2, 8)


def test_a_visitor_who_was_away_when_it_was_their_turn_makes_no_turnaround() -> None:
    runs = [run(0, 1), run(2, 3), run(4, 5), run(900, 901)]
    assert busy_seconds(runs) == (2, 2, 2, 2)


def test_without_runs_nobody_is_busy() -> None:
    assert busy_seconds([]) == ()
