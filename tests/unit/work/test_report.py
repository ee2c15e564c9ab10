"""The report of a horse, and a horse that is alone: with real processes."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from queueing.work import horse
from queueing.work.report import Listener, Report, Speaker, Stage
from tests.support.waiting import wait_for


@contextmanager
def forked(live: Callable[[Speaker], object]) -> Iterator[Listener]:
    """A child that reports; it is killed at the end."""
    report, (ours, its) = Report(), socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            live(Speaker(report, its))
        finally:
            os._exit(0)
    its.close()
    try:
        yield Listener(pid, report, ours)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        ours.close()


def rest(*_: object) -> None:
    time.sleep(600)


def test_what_a_horse_has_reported_outlives_it() -> None:
    def start_and_die(speaker: Speaker) -> None:
        speaker.started(3)
        os.kill(os.getpid(), signal.SIGKILL)

    with forked(start_and_die) as listener:
        wait_for(lambda: horse.has_ended(listener.pid))
        assert (listener.report.stage, listener.report.attempt) == (Stage.STARTED, 3)


def test_a_wait_for_a_stage_ends_with_the_horse() -> None:
    with forked(lambda _: None) as listener:
        listener.await_stage(Stage.STARTED, 60)
        assert not listener.is_open


def test_the_words_of_a_runner_that_failed_arrive() -> None:
    def fail(speaker: Speaker) -> None:
        speaker.started(1)
        speaker.failed("it broke")

    with forked(fail) as listener:
        wait_for(lambda: horse.has_ended(listener.pid))
        assert listener.last_words() == "it broke"


def test_a_stage_that_no_horse_writes_is_none() -> None:
    report = Report()
    report._memory[0] = 77
    assert report.stage == Stage.NOTHING


def test_a_process_that_has_left_the_report_cannot_write_to_it() -> None:
    ours, its = socket.socketpair()
    speaker = Speaker(Report(), its)
    speaker.leave()
    with pytest.raises(ValueError, match="closed"):
        speaker.over()
    ours.close()


def test_a_horse_with_one_thread_and_no_child_is_alone() -> None:
    before = horse.children()
    with forked(rest) as listener:
        assert horse.is_alone(listener.pid, before)


def starts_a_thread(_: Speaker) -> None:
    threading.Thread(target=rest, daemon=True).start()
    rest()


def forks(_: Speaker) -> None:
    if os.fork() == 0:
        os.setpgrp()
    rest()


@pytest.mark.parametrize("live", [starts_a_thread, forks])
def test_a_horse_with_a_thread_or_a_child_is_not_alone(live: Callable[[Speaker], object]) -> None:
    before = horse.children()
    with forked(live) as listener:
        wait_for(lambda: not horse.is_alone(listener.pid, before))
        for pid in horse.children(listener.pid):
            os.kill(pid, signal.SIGKILL)
