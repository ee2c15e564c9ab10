"""The death of a horse, and what a task leaves behind."""

from collections.abc import Callable

import psutil
import pytest

from queueing.models import Entry
from queueing.states import Reason, Status
from tests.support import probe
from tests.support.presence import stay
from tests.support.processes import Processes
from tests.support.waiting import wait_for

pytestmark = pytest.mark.postgres

Join = Callable[..., Entry]


def ended(entry: Entry) -> Entry | None:
    return Entry.objects.final().filter(pk=entry.pk).first()


@pytest.mark.parametrize("name", probe.CRASHES)
def test_a_task_that_crashes_its_process_has_failed_and_is_not_run_again(
    processes: Processes, join: Join, name: str
) -> None:
    processes.worker()
    entry = join(end=name)
    stay(entry)
    failed = wait_for(lambda: ended(entry))
    assert (failed.status, failed.reason, failed.attempt) == (Status.FAILED, Reason.CRASHED, 1)
    assert failed.error_class == name
    assert len(probe.calls()) == 1


def test_a_horse_that_the_system_killed_is_run_again(processes: Processes, join: Join) -> None:
    processes.worker()
    entry = join(end="SIGKILL")
    stay(entry)
    failed = wait_for(lambda: ended(entry))
    assert (failed.status, failed.reason, failed.attempt) == (Status.FAILED, Reason.ORPHANED, 2)


@pytest.mark.parametrize("end", ["child", "escaped child"])
def test_what_a_task_leaves_running_ends_with_it(processes: Processes, join: Join, end: str) -> None:
    worker = processes.worker()
    entry = join(end=end)
    stay(entry)
    done = wait_for(lambda: ended(entry))
    assert done.status == Status.SUCCEEDED
    wait_for(lambda: not psutil.Process(worker.pid).children(recursive=True))
    assert not psutil.pid_exists(probe.child())


def test_many_dead_children_of_a_task_do_not_hold_up_the_worker(processes: Processes, join: Join) -> None:
    """Each has double-forked, so it became the worker's child, and nobody but the worker takes it off the table."""
    worker = processes.worker()
    entry, following = join("first", end="zombies"), join("second")
    for each in (entry, following):
        stay(each)
    assert wait_for(lambda: ended(entry)).status == Status.SUCCEEDED
    assert wait_for(lambda: ended(following)).status == Status.SUCCEEDED
    wait_for(lambda: not psutil.Process(worker.pid).children(recursive=True))


def test_a_process_that_a_task_forks_does_not_end_its_row(processes: Processes, join: Join) -> None:
    """The textbook way to a daemon ends the process in between by sys.exit, inside the task's own frames."""
    processes.worker()
    entry = join(end="daemon")
    stay(entry)
    done = wait_for(lambda: ended(entry))
    assert (done.status, done.attempt, done.files.count()) == (Status.SUCCEEDED, 1, 1)
    wait_for(lambda: "were killed" in processes.logs())  # the daemon has a copy of the horse's connection
