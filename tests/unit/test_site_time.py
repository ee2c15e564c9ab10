"""The clock that web processes share: asked seldom, and again when this host has slept or its clock was set."""

import time
from collections.abc import Iterator

import pytest

from queueing import site_time
from queueing.site_time import TRIED_AGAIN


class Clock:
    """The shared clock: an hour ahead of this host's, and sometimes away."""

    def __init__(self) -> None:
        self.asked, self.is_away = 0, False

    def __call__(self) -> float:
        self.asked += 1
        if self.is_away:
            raise ConnectionError
        return time.time() + 3600


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Its answers are quick, however long this process stands still during one: it is asked for one at a time."""
    monkeypatch.setattr(site_time, "QUICK", float("inf"))
    made = Clock()
    site_time.follow(made)
    yield made
    site_time.follow(None)


def ahead() -> float:
    """Seconds by which the site's time is ahead of this host's."""
    return site_time.timestamp() - time.time()


def test_it_is_asked_once_in_a_while(clock: Clock) -> None:
    assert [round(ahead() / 60) for _ in range(5)] == [60] * 5
    assert clock.asked == 1


def test_it_is_asked_again_after_a_sleep_in_which_the_monotonic_clock_stood_still(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead()
    drift = time.time() - time.monotonic() + 8 * 3600
    monkeypatch.setattr(site_time, "_drift", lambda: drift)
    assert round(ahead() / 60) == 60
    ahead()
    assert clock.asked == 2


def test_without_an_answer_it_goes_on_from_the_last_one(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead()
    clock.is_away = True
    now = time.monotonic()
    monkeypatch.setattr(site_time._known, "next_question", now - 1)
    assert round(ahead() / 60) == 60
    assert clock.asked == 2
    assert site_time._known.next_question >= now + TRIED_AGAIN
    ahead()
    assert clock.asked == 2


def test_of_several_answers_the_quickest_counts() -> None:
    """The first one waits for a new connection, and only then for the time."""
    pauses = [0.3]

    def ask() -> float:
        time.sleep(pauses.pop() if pauses else 0)
        return time.time()

    site_time.follow(ask)
    try:
        assert abs(ahead()) < 0.1
    finally:
        site_time.follow(None)
