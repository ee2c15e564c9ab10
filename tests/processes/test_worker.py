"""Real worker processes: claims, crashes, leases, and the traps of RQ that are mended."""

import signal
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import psutil
import pytest
from rq.command import send_stop_job_command
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer, PickleSerializer

from queueing import ending
from queueing.line import clients, presence, workers
from queueing.line.places import Line
from queueing.line.queue import LineQueue
from queueing.models import Entry
from queueing.states import Absence, Reason, Status
from queueing.testing.presence import stay, watch_since
from tests.support import probe
from tests.support.clocks import QUICK
from tests.support.entries import status_of
from tests.support.probe import entered, hold
from tests.support.processes import Processes, horse_of, is_dead
from tests.support.waiting import wait_for

Join = Callable[..., Entry]


@pytest.mark.postgres
def test_a_worker_runs_the_task_of_a_present_entry_and_keeps_its_result(processes: Processes, join: Join) -> None:
    processes.worker()
    entry = join("a")
    stay(entry)
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED)
    assert entry.result == {"label": "a", "attempt": 1}
    assert probe.calls() == ["a"]
    with entry.files.get(attempt=1).file.open() as file:
        assert file.read() == b"a\n"


def test_the_entry_of_a_closed_page_is_never_run_and_the_next_is_served(processes: Processes, join: Join) -> None:
    busy, leaver, next_one = join("busy"), join("leaver"), join("next")
    stay(busy, leaver, next_one)
    gate = hold("busy")
    processes.worker()
    wait_for(lambda: entered("busy"))
    presence.close("probe", leaver.job_id, Absence.CLOSED)
    gate.unlink()
    wait_for(lambda: status_of(next_one) == Status.SUCCEEDED)
    assert probe.calls() == ["busy", "next"]
    assert status_of(leaver) == Status.WAITING


def test_a_killed_worker_takes_its_horse_along_and_the_entry_runs_again_then_fails(
    processes: Processes, join: Join
) -> None:
    processes.keeper()
    entry = join("victim")
    stay(entry)
    gate = hold("victim")
    for attempt in (1, 2):
        worker = processes.worker()
        wait_for(partial(entered, "victim", attempt), 45)
        horse = horse_of(worker)
        worker.kill()
        wait_for(partial(is_dead, horse), 5)
    wait_for(lambda: status_of(entry) == Status.FAILED, 45)
    gate.unlink()
    assert entry.reason == Reason.ORPHANED
    assert "unexpectedly" in entry.message
    assert probe.calls() == ["victim", "victim"]


def test_a_horse_that_dies_is_noticed_at_once_and_the_place_is_the_old_one(processes: Processes, join: Join) -> None:
    first, second = join("first"), join("second")
    stay(first, second)
    gate = hold("first")
    worker = processes.worker()
    wait_for(lambda: entered("first"))
    horse_of(worker).kill()
    wait_for(lambda: entered("first", 2))
    gate.unlink()
    wait_for(lambda: status_of(second) == Status.SUCCEEDED)
    assert probe.calls() == ["first", "first", "second"]
    assert status_of(first) == Status.SUCCEEDED
    assert first.result == {"label": "first", "attempt": 2}


@pytest.mark.slow
def test_a_task_that_outlives_many_leases_runs_once(processes: Processes, join: Join) -> None:
    processes.keeper()
    processes.worker()
    entry = join("long", seconds=3 * QUICK["LEASE"])
    stay(entry)
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED, 60)
    assert probe.calls() == ["long"]
    assert entry.attempt == 1


def test_a_worker_killed_between_claim_and_start_gives_the_entry_back(
    processes: Processes, join: Join, line: Line
) -> None:
    entry = join("claimed")
    stay(entry)
    line.claim("a worker that was killed")
    processes.keeper()
    processes.worker()
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED, 35)
    assert probe.calls() == ["claimed"]


def test_a_worker_told_to_stop_finishes_what_it_runs(processes: Processes, join: Join) -> None:
    entry = join("last")
    stay(entry)
    gate = hold("last")
    worker = processes.worker()
    wait_for(lambda: entered("last"))
    worker.send_signal(signal.SIGTERM)
    gate.unlink()
    assert worker.wait(30) == 0
    assert status_of(entry) == Status.SUCCEEDED


def test_a_visitor_who_cancels_a_running_task_stops_it(processes: Processes, join: Join) -> None:
    entry = join("stopped")
    stay(entry)
    gate = hold("stopped")
    worker = processes.worker()
    wait_for(lambda: entered("stopped"))
    horse = horse_of(worker)
    ending.leave(Entry.objects.get(pk=entry.pk))
    wait_for(lambda: is_dead(horse))
    assert gate.exists()  # it ended by itself, at its next report
    assert status_of(entry) == Status.CANCELLED
    assert worker.poll() is None


def test_a_visitor_gone_for_longer_than_the_grace_stops_the_task(processes: Processes, join: Join) -> None:
    entry = join("gone")
    stay(entry)
    hold("gone")
    processes.worker()
    wait_for(lambda: entered("gone"))
    watch_since(1000)
    presence.close("probe", entry.job_id, Absence.CLOSED)
    wait_for(lambda: status_of(entry) == Status.ABANDONED)
    assert entry.reason == Reason.CLOSED


def test_a_deaf_task_of_a_visitor_who_left_is_killed(processes: Processes, join: Join) -> None:
    processes.use({"DEAF_GRACE": 1})
    entry = join("deaf", deaf=True)
    stay(entry)
    hold("deaf")
    worker = processes.worker()
    wait_for(lambda: entered("deaf"))
    horse = horse_of(worker)
    watch_since(1000)
    presence.close("probe", entry.job_id, Absence.LOST)
    wait_for(lambda: status_of(entry) == Status.ABANDONED, 45)
    wait_for(lambda: is_dead(horse))
    assert worker.poll() is None


def test_a_reload_while_it_runs_changes_nothing(processes: Processes, join: Join) -> None:
    entry = join("reloaded")
    stay(entry)
    gate = hold("reloaded")
    processes.worker()
    wait_for(lambda: entered("reloaded"))
    watch_since(1000)
    presence.close("probe", entry.job_id, Absence.CLOSED)
    stay(entry)
    gate.unlink()
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED)


def test_failures_tell_the_visitor_a_sentence_and_staff_the_rest(processes: Processes, join: Join) -> None:
    processes.worker()
    error, unusable = join("error", end="error"), join("unusable", end="unusable")
    stay(error, unusable)
    wait_for(lambda: status_of(unusable) == Status.FAILED)
    assert status_of(error) == Status.FAILED
    assert (error.reason, unusable.reason) == (Reason.ERROR, Reason.UNUSABLE)
    assert "secret detail" not in error.message
    assert "secret detail" in error.traceback
    assert unusable.message == "This input has no corners."
    assert not error.files.exists()


def test_a_task_that_runs_for_too_long_is_failed(processes: Processes, join: Join) -> None:
    entry = join("slow")
    stay(entry)
    hold("slow")
    processes.worker(PROBE_TIMEOUT="2")
    wait_for(lambda: status_of(entry) == Status.FAILED)
    assert entry.reason == Reason.TIMEOUT


def test_a_function_that_is_not_allowed_is_refused(processes: Processes, line: Line, queue: LineQueue) -> None:
    job = queue.enqueue("subprocess.getoutput", f"touch {probe.log_path().with_name('pwned.hold')}", job_id="evil")
    processes.worker()
    wait_for(lambda: job.get_status() == "failed")
    assert not probe.log_path().with_name("pwned.hold").exists()
    assert line.claims() == {}


def test_a_pickled_job_is_never_unpickled(processes: Processes, line: Line, queue: LineQueue) -> None:
    plain = Queue("probe", connection=line.client, serializer=PickleSerializer)
    plain.enqueue("os.system", f"touch {probe.log_path().with_name('pwned.hold')}", job_id="pickled")
    processes.worker()
    wait_for(lambda: queue.count == 0 and not line.claims())
    assert not probe.log_path().with_name("pwned.hold").exists()


FOREIGN = "tests.support.foreign_worker.ForeignWorker"


def test_stock_rq_on_our_lines_dependents_schedules_and_repeats(processes: Processes, line: Line) -> None:
    plain = Queue("probe", connection=line.client, serializer=JSONSerializer)
    first = plain.enqueue("tests.support.foreign.note", "first")
    plain.enqueue("tests.support.foreign.note", "dependent", depends_on=first)
    plain.enqueue("tests.support.foreign.note", "unique", job_id="unique", unique=True)
    plain.enqueue_in(timedelta(seconds=1), "tests.support.foreign.note", "scheduled")
    processes.manage("rqworker", "probe", "--worker-class", FOREIGN, "--with-scheduler")
    wait_for(lambda: set(probe.calls()) == {"first", "dependent", "unique", "scheduled"})
    wait_for(lambda: not line.claims())
    assert line.count_entries() == 0
    assert clients.connection().keys("presence:*") == []


def test_a_requeue_of_a_failed_entry_from_the_dashboard_does_not_run_it_again(
    processes: Processes, join: Join, line: Line, queue: LineQueue
) -> None:
    entry = join("failed", end="die")
    stay(entry)
    processes.worker()
    wait_for(lambda: status_of(entry) == Status.FAILED)
    assert probe.calls() == ["failed", "failed"]
    Job.fetch(entry.job_id, connection=line.client, serializer=JSONSerializer).requeue()
    wait_for(lambda: queue.count == 0 and not line.claims())
    assert probe.calls() == ["failed", "failed"]
    assert status_of(entry) == Status.FAILED


def test_one_worker_serves_two_lines_and_a_pool_serves_them_too(processes: Processes, join: Join) -> None:
    processes.manage("rqworker", "tables", "probe")
    entry = join("two")
    stay(entry)
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED)
    processes.stop()
    pool = processes.manage("rqworker-pool", "tables", "probe", "--num-workers", "2")
    entries = [join(f"pool{number}") for number in range(4)]
    stay(*entries)
    wait_for(lambda: all(status_of(entry) == Status.SUCCEEDED for entry in entries))
    horses = psutil.Process(pool.pid).children(recursive=True)
    pool.terminate()
    pool.wait(30)
    wait_for(lambda: all(is_dead(process) for process in horses))


def test_a_worker_that_is_stopped_between_a_command_and_its_answer_ends_in_order(processes: Processes) -> None:
    worker = processes.manage(
        "rqworker", "probe", "--worker-class", "tests.support.interrupted_worker.InterruptedWorker"
    )
    assert worker.wait(30) == 0
    assert not clients.connection().smembers("rq:workers")


def test_a_worker_ends_although_python_drops_the_exception_that_stops_it(processes: Processes) -> None:
    worker = processes.worker("probe", "--worker-class", "tests.support.interrupted_worker.DeafWorker")
    worker.terminate()
    assert worker.wait(30) == 0


def test_a_worker_without_a_named_queue_serves_every_line(processes: Processes, join: Join) -> None:
    processes.manage("rqworker")
    entry = join("any")
    stay(entry)
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED)


def test_a_result_that_is_no_json_fails_once_and_a_nul_in_a_sentence_does_no_harm(
    processes: Processes, join: Join
) -> None:
    processes.worker()
    nan, nul = join("nan", end="nan"), join("nul", end="nul")
    stay(nan, nul)
    wait_for(lambda: status_of(nul) == Status.FAILED)
    assert (status_of(nan), nan.reason, nul.reason) == (Status.FAILED, Reason.ERROR, Reason.UNUSABLE)
    assert "JSON" in nan.traceback
    assert nul.message == "A NUL in a sentence."
    assert probe.calls() == ["nan", "nul"]


def test_rqs_stop_command_ends_the_entry(processes: Processes, join: Join, line: Line) -> None:
    entry = join("stop")
    stay(entry)
    hold("stop")
    processes.worker()
    wait_for(lambda: entered("stop"))
    wait_for(lambda: Job.fetch(entry.job_id, connection=line.client, serializer=JSONSerializer).worker_name)
    send_stop_job_command(line.client, entry.job_id, serializer=JSONSerializer)
    wait_for(lambda: status_of(entry) == Status.CANCELLED)
    assert probe.calls() == ["stop"]


@pytest.mark.slow
def test_a_worker_is_counted_again_after_a_flush(processes: Processes, join: Join, line: Line) -> None:
    processes.worker()
    assert len(workers.live_workers("probe")) == 1
    line.client.flushall()
    assert workers.live_workers("probe") == []
    wait_for(lambda: [worker.lines for worker in workers.all_workers()] == [("probe",)])  # although it is idle
    assert len(workers.live_workers("probe")) == 1
    entry = join("after")
    stay(entry)
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED)
