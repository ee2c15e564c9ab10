"""The report of a horse to its worker, over a real channel."""

import os
import socket
from collections.abc import Iterator

import pytest

from queueing.work import report
from queueing.work.report import Listener, Report, Speaker, Stage


@pytest.fixture
def sides(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Speaker, Listener]]:
    """Those of a horse and of its worker, which waits for good."""
    monkeypatch.setattr(report, "RELEASE_WAIT", 60.0)
    ours, its = socket.socketpair()
    shared = Report()
    with ours, its:
        yield Speaker(shared, its), Listener(os.getpid(), shared, ours)


@pytest.mark.parametrize("end", ["release", "death"])
def test_a_horse_that_is_over_waits_for_its_worker(sides: tuple[Speaker, Listener], end: str) -> None:
    speaker, listener = sides
    speaker.over()
    assert (listener.report.stage, listener.hear(), listener.is_open) == (Stage.OVER, True, True)
    if end == "release":
        listener.release()
        listener.release()  # of one that could not part
    else:
        listener.channel.close()
    speaker.await_release()


def test_a_horse_whose_worker_stands_still_ends_all_the_same(
    sides: tuple[Speaker, Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "RELEASE_WAIT", 0.01)
    sides[0].await_release()
