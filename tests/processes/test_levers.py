"""Levers under real workers: they take effect on workers that wait, and count across workers and their deaths."""

from collections.abc import Callable
from datetime import timedelta
from subprocess import Popen

import pytest
from django.utils import timezone

from queueing.line import clients, epoch, levers
from queueing.line.places import Line
from queueing.models import Entry
from queueing.models import Line as RowOfLine
from queueing.states import Status
from queueing.testing.presence import stay
from tests.support import probe
from tests.support.clocks import QUICK
from tests.support.commands import run_command
from tests.support.entries import status_of
from tests.support.epochs import set_epoch
from tests.support.levers import set_levers
from tests.support.probe import entered, hold
from tests.support.processes import Processes, has_horse, horse_of
from tests.support.waiting import wait_for

Join = Callable[..., Entry]


def look(line: Line) -> None:
    """Let a worker that waits look at the line. When it takes the second call, it has made nothing of the first."""
    for _ in range(2):
        line.client.rpush(line.keys.wake, "")
        wait_for(lambda: not line.client.exists(line.keys.wake))


@pytest.mark.postgres
def test_a_worker_that_waits_starts_nothing_in_a_pause_and_goes_on_after_it(
    processes: Processes, join: Join, line: Line
) -> None:
    processes.worker()
    run_command("line", "pause", "probe")
    entry = join("a")
    stay(entry)
    look(line)
    assert status_of(entry) == Status.WAITING
    run_command("line", "resume", "probe")
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED)


def test_work_in_hand_is_finished_in_a_pause(processes: Processes, join: Join, line: Line) -> None:
    first, second = join("first"), join("second")
    stay(first, second)
    gate = hold("first")
    processes.worker()
    wait_for(lambda: entered("first"))
    run_command("line", "pause", "probe")
    gate.unlink()
    wait_for(lambda: status_of(first) == Status.SUCCEEDED)
    assert status_of(second) == Status.WAITING
    assert line.ids() == [second.job_id]


@pytest.mark.postgres
def test_a_flush_starts_nothing_in_a_pause(processes: Processes, join: Join, line: Line) -> None:
    """The worker reads the row before it claims; no keeper is there."""
    set_levers(state="paused")
    processes.worker()
    line.client.flushall()
    set_epoch(line.client, "probe", epoch.run_id(line.client))
    entry = join("a")
    stay(entry)
    look(line)
    assert status_of(entry) == Status.WAITING
    set_levers(state="open")
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED)


@pytest.mark.slow
def test_no_more_run_at_once_than_allowed_whatever_dies(processes: Processes, join: Join, line: Line) -> None:
    """The horse of the first entry is killed in its first attempt, and its worker in the second one."""
    processes.use(QUICK | {"MAX_ATTEMPTS": 3})
    set_levers(max_running=1)
    first, second = join("first"), join("second")
    stay(first, second)
    gate = hold("first")
    hold("second")
    processes.keeper()
    workers = [processes.worker(), processes.worker()]
    wait_for(lambda: entered("first"))
    horse_of(_busy(workers)).kill()
    wait_for(lambda: entered("first", times=2))
    _busy(workers).kill()
    wait_for(lambda: entered("first", times=3))
    assert probe.calls() == ["first"] * 3
    gate.unlink()
    wait_for(lambda: entered("second"))
    assert status_of(first) == Status.SUCCEEDED
    # The task begins while the worker ends its claim.
    wait_for(lambda: line.client.zrange(line.keys.running, 0, -1) == [second.job_id.encode()])


def _busy(workers: list[Popen[bytes]]) -> Popen[bytes]:
    """The worker that has a horse."""

    def find() -> Popen[bytes] | None:
        alive = [worker for worker in workers if worker.poll() is None]
        return next((worker for worker in alive if has_horse(worker)), None)

    found: Popen[bytes] = wait_for(find)
    return found


def test_the_keeper_opens_a_line_at_its_time(processes: Processes, join: Join) -> None:
    set_levers(state="closed", opens_at=timezone.now() + timedelta(seconds=1))
    processes.keeper()
    wait_for(lambda: RowOfLine.of("probe").state == "open")
    wait_for(lambda: not levers.read(clients.connection(), "probe").is_closed)
    assert status_of(join("a")) == Status.WAITING
