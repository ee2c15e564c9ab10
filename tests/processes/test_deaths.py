"""The death of a horse or a worker, and what a task leaves behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial

import psutil
import pytest

from queueing.models import Entry
from queueing.states import Reason, Status
from queueing.testing.presence import stay
from tests.support import probe
from tests.support.entries import status_of
from tests.support.paths import ROOT
from tests.support.probe import entered, hold
from tests.support.processes import Processes, horse_of, is_at_rest, is_dead
from tests.support.slow import slow
from tests.support.waiting import wait_for

pytestmark = pytest.mark.postgres

Join = Callable[..., Entry]


def ended(entry: Entry) -> Entry | None:
    return Entry.objects.final().filter(pk=entry.pk).first()


@pytest.mark.parametrize("name", ["SIGSEGV", *slow(*(name for name in probe.CRASHES if name != "SIGSEGV"))])
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
    wait_for(lambda: is_at_rest(worker))
    wait_for(lambda: not psutil.pid_exists(probe.child()))  # it would sleep for minutes


def test_many_dead_children_of_a_task_do_not_hold_up_the_worker(processes: Processes, join: Join) -> None:
    """Each has double-forked, so it became the worker's child, and nobody but the worker takes it off the table."""
    worker = processes.worker()
    entry, following = join("first", end="zombies"), join("second")
    for each in (entry, following):
        stay(each)
    assert wait_for(lambda: ended(entry)).status == Status.SUCCEEDED
    assert wait_for(lambda: ended(following)).status == Status.SUCCEEDED
    wait_for(lambda: is_at_rest(worker))


def test_a_process_that_a_task_forks_does_not_end_its_row(processes: Processes, join: Join) -> None:
    """The textbook way to a daemon ends the process in between by sys.exit, inside the task's own frames."""
    processes.worker()
    entry = join(end="daemon")
    stay(entry)
    done = wait_for(lambda: ended(entry))
    assert (done.status, done.attempt, done.files.count()) == (Status.SUCCEEDED, 1, 1)
    wait_for(lambda: "were killed" in processes.logs())  # the daemon has a copy of the horse's connection


def test_the_horse_of_a_killed_worker_ends_before_anybody_takes_its_entry(processes: Processes, join: Join) -> None:
    """No keeper is there, and the task never reports: only the kernel can end this horse."""
    entry = join("victim", deaf=True)
    stay(entry)
    gate = hold("victim")
    worker = processes.worker()
    wait_for(lambda: entered("victim"))
    horse = horse_of(worker)
    worker.kill()
    wait_for(partial(is_dead, horse))
    assert gate.exists()
    assert (status_of(entry), entry.attempt) == (Status.RUNNING, 1)


IN_A_GROUP = """
import os, signal, time
import django
django.setup()
import redis
from django.conf import settings
from queueing.work import horse
from queueing.work.worker import PresenceWorker
worker = PresenceWorker(["probe"], connection=redis.Redis.from_url(settings.REDIS_URL))
worker._horse_pid = child = os.fork()  # has not left the group of its worker yet
if child == 0:
    time.sleep(60)
    os._exit(0)
{deed}
os.kill(child, signal.SIGKILL)
print("the worker lives", flush=True)
"""


@pytest.mark.parametrize(
    "deed",
    [
        "worker.kill_horse()",
        "horse.end_left_behind(0, {child})",
        "horse.end_left_behind(child, {child})",
    ],
)
def test_a_worker_does_not_kill_its_own_process_group(deed: str) -> None:
    process = subprocess.run(
        [sys.executable, "-c", IN_A_GROUP.format(deed=deed)],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
        start_new_session=True,  # the group that a fault would kill is its own, not that of the tests
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode != -signal.SIGKILL
    assert "the worker lives" in process.stdout, process.stderr
