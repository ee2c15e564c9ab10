"""The standby of a worker: one process for each entry still, and nothing lost whenever one of them ends."""

import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from django.db import connection
from rq import suspension
from rq.command import send_command
from rq.job import Job
from rq.utils import as_text

from queueing.line.jobs import job_key
from queueing.line.keys import line_keys
from queueing.models import Entry
from queueing.states import Status
from queueing.testing.presence import stay
from queueing.work import forking
from tests.support import probe
from tests.support.entries import status_of
from tests.support.probe import entered, hold
from tests.support.processes import Processes, horse_of, is_at_rest, is_dead, is_tidy, standby_of
from tests.support.waiting import wait_for

pytestmark = pytest.mark.postgres

Join = Callable[..., Entry]

# The connections of PostgreSQL that others have to the tests' database.
OTHERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()"
END_OTHERS = OTHERS.replace("SELECT pid", "SELECT pg_terminate_backend(pid)")


def succeeded(*entries: Entry) -> bool:
    return all(status_of(entry) == Status.SUCCEEDED for entry in entries)


def test_an_entry_runs_in_the_process_that_stood_by_and_each_has_its_own(processes: Processes, join: Join) -> None:
    worker = processes.worker()
    first, gate = standby_of(worker), hold("victim")
    entry, other = join("victim"), join("other")
    stay(entry, other)
    wait_for(lambda: entered("victim"))
    assert horse_of(worker).pid == first.pid
    second = standby_of(worker)  # forked while the first one works
    assert not is_dead(second)
    gate.unlink()
    wait_for(lambda: succeeded(entry, other))
    wait_for(lambda: is_dead(first) and is_dead(second))
    wait_for(lambda: is_at_rest(worker))
    assert probe.calls() == ["victim", "other"]


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_a_standby_that_ends_costs_nothing(processes: Processes, join: Join, sign: signal.Signals) -> None:
    worker = processes.worker()
    standby_of(worker).send_signal(sign)
    entry = join("one")
    stay(entry)
    wait_for(lambda: succeeded(entry))
    entry.refresh_from_db()
    assert entry.attempt == 1
    assert probe.calls() == ["one"]


def test_a_standby_whose_folder_somebody_has_cleaned_up_is_replaced_and_costs_no_task(
    processes: Processes, join: Join, tmp_path: Path
) -> None:
    scratches = tmp_path / "scratches"
    scratches.mkdir()
    worker = processes.worker(TMPDIR=str(scratches))
    first = standby_of(worker)
    [folder] = scratches.iterdir()
    folder.rmdir()
    gate, entry = hold("one"), join("one")
    stay(entry)
    wait_for(lambda: entered("one"))
    assert is_dead(first)
    gate.unlink()
    wait_for(lambda: succeeded(entry))
    wait_for(lambda: is_at_rest(worker) and is_tidy(scratches))
    assert (probe.calls(), folder.exists()) == (["one"], False)


def test_a_worker_holds_no_more_descriptors_after_many_tasks(processes: Processes, join: Join) -> None:
    """Of each: the channel, the lock on the folder, the sign of the end."""
    worker, counts = processes.worker(), list[int]()
    for number in range(4):
        entries = [join(f"{number}-{more}") for more in range(3)]
        stay(*entries)
        wait_for(partial(succeeded, *entries))
        wait_for(lambda: is_at_rest(worker))
        standby_of(worker)
        if len(counts) < 2:
            counts.append(descriptors(worker))
        else:  # it may read a file at this very moment
            wait_for(lambda: descriptors(worker) <= counts[1])


def descriptors(worker: "subprocess.Popen[bytes]") -> int:
    return int(psutil.Process(worker.pid).num_fds())


def test_connections_that_died_while_it_stood_by_are_opened_again(
    processes: Processes, join: Join, valkey: redis.Redis
) -> None:
    worker = processes.worker()
    first = standby_of(worker)
    wait_for(lambda: any(client["name"] == "" for client in valkey.client_list()))
    if connection.vendor == "postgresql":
        wait_for(lambda: rows_of(OTHERS))
        rows_of(END_OTHERS)
    valkey.client_kill_filter(_type="normal", skipme=True)
    gate = hold("victim")
    entry = join("victim")
    stay(entry)
    wait_for(lambda: entered("victim"))
    assert horse_of(worker).pid == first.pid
    gate.unlink()
    wait_for(lambda: succeeded(entry))
    entry.refresh_from_db()
    assert entry.attempt == 1


def test_a_standby_ends_with_its_worker_however_it_ends(processes: Processes) -> None:
    killed, stopped = processes.worker(), processes.worker()
    both = [standby_of(killed), standby_of(stopped)]
    killed.kill()
    stopped.terminate()
    assert stopped.wait(30) == 0
    wait_for(lambda: all(is_dead(process) for process in both))


@pytest.fixture
def gates(tmp_path: Path) -> Path:
    """The folder of the gates of a gated worker."""
    folder = tmp_path / "gates"
    folder.mkdir()
    return folder


def gated(processes: Processes, gates: Path, *closed: str, **environment: str) -> "subprocess.Popen[bytes]":
    """A worker with these gates closed."""
    for name in closed:
        (gates / name).touch()
    environment["GATES"] = str(gates)
    return processes.worker("probe", "--worker-class", "tests.support.gated_worker.GatedWorker", **environment)


def test_a_worker_that_is_stopped_before_the_hand_over_leaves_no_folder(
    processes: Processes, join: Join, gates: Path, tmp_path: Path
) -> None:
    """It makes one for the job, since somebody has deleted that of the standby."""
    scratches = tmp_path / "scratches"
    scratches.mkdir()
    worker = gated(processes, gates, "opened", TMPDIR=str(scratches))
    standby_of(worker)
    [folder] = scratches.iterdir()
    folder.rmdir()
    entry = join("one")
    stay(entry)
    wait_for((gates / "opened.reached").exists)
    worker.terminate()
    assert worker.wait(30) == 0
    assert status_of(entry) == Status.WAITING
    assert not list(scratches.iterdir())


def worker_key(valkey: redis.Redis) -> str:
    """The key of the one worker that there is."""
    (key,) = valkey.smembers("rq:workers")
    return as_text(key)


def books_of(valkey: redis.Redis, entry: Entry) -> list[Any]:
    """RQ's books of a job that runs: its status, its runs, and its worker's."""
    key = job_key(entry.job_id)
    return [
        valkey.hget(key, "status"),
        valkey.zcard("rq:wip:probe"),
        len(valkey.keys("rq:execution:*")),
        [valkey.hget(worker, "state") for worker in valkey.smembers("rq:workers")],
    ]


def test_rqs_books_are_right_while_a_task_runs_and_after_it(
    processes: Processes, join: Join, valkey: redis.Redis
) -> None:
    processes.worker()
    gate, entry, other = hold("first"), join("first"), join("second")
    stay(entry, other)
    wait_for(lambda: entered("first"))
    worker = worker_key(valkey)
    wait_for(lambda: books_of(valkey, entry) == [b"started", 1, 1, [b"busy"]])
    assert valkey.hget(job_key(entry.job_id), "worker_name") == worker.removeprefix("rq:worker:").encode()
    assert valkey.ttl(job_key(entry.job_id)) == -1
    gate.unlink()
    wait_for(lambda: succeeded(entry, other))
    wait_for(lambda: books_of(valkey, other) == [None, 0, 0, [b"idle"]])
    assert not valkey.exists(f"{worker}:executions")
    assert not valkey.keys(f"rq:*{entry.job_id}*")
    assert valkey.hget(worker, "successful_job_count") == b"2"
    assert float(valkey.hget(worker, "total_working_time") or 0) > 0
    assert not valkey.hlen(line_keys("probe").claims)
    assert not valkey.zcard(line_keys("probe").running)


def test_a_worker_killed_between_hand_over_and_books_loses_nothing(
    processes: Processes, join: Join, gates: Path, quick: dict[str, float]
) -> None:
    processes.use(quick)
    worker = gated(processes, gates, "books")
    gate, entry = hold("victim"), join("victim")
    stay(entry)
    wait_for(lambda: entered("victim"))  # the task does not wait for the books
    first = horse_of(worker)
    worker.kill()
    wait_for(lambda: is_dead(first))
    gate.unlink()
    processes.keeper()
    processes.worker()
    stay(entry)
    wait_for(lambda: succeeded(entry))
    assert entry.attempt == 2


def test_a_horse_that_dies_before_its_books_are_written_is_settled(
    processes: Processes, join: Join, gates: Path, valkey: redis.Redis
) -> None:
    worker = gated(processes, gates, "books")
    gate, entry = hold("victim"), join("victim")
    stay(entry)
    wait_for(lambda: entered("victim"))
    horse_of(worker).kill()
    gate.unlink()
    (gates / "books").unlink()
    stay(entry)
    processes.keeper()
    wait_for(lambda: succeeded(entry))
    assert entry.attempt == 2
    wait_for(lambda: books_of(valkey, entry) == [None, 0, 0, [b"idle"]])


def test_a_stop_command_before_the_books_ends_the_entry(
    processes: Processes, join: Join, gates: Path, valkey: redis.Redis
) -> None:
    worker = gated(processes, gates, "books")
    hold("victim")
    entry = join("victim")
    stay(entry)
    wait_for(lambda: entered("victim"))
    first = horse_of(worker)
    send_command(valkey, worker_key(valkey).removeprefix("rq:worker:"), "stop-job", job_id=entry.job_id)
    wait_for(lambda: is_dead(first))
    (gates / "books").unlink()
    wait_for(lambda: status_of(entry) == Status.CANCELLED)
    wait_for(lambda: books_of(valkey, entry) == [b"stopped", 0, 0, [b"idle"]])


def test_a_start_that_takes_long_is_told_when_it_comes(
    processes: Processes, join: Join, gates: Path, valkey: redis.Redis
) -> None:
    gated(processes, gates, "forked")
    gate, entry = hold("late"), join("late")
    stay(entry)
    wait_for((gates / "forked").with_suffix(".reached").exists)
    time.sleep(forking.START_WAIT + 0.1)
    assert valkey.hlen(line_keys("probe").claims) == 1
    (gates / "forked").unlink()
    wait_for(lambda: entered("late"))
    wait_for(lambda: not valkey.hlen(line_keys("probe").claims))
    assert valkey.zcard(line_keys("probe").running) == 1
    gate.unlink()
    wait_for(lambda: succeeded(entry))


def test_a_task_that_is_over_before_its_worker_has_told_of_its_start_does_not_count_as_running(
    processes: Processes, join: Join, gates: Path, valkey: redis.Redis
) -> None:
    gated(processes, gates, "books")
    entry = join("short")
    stay(entry)
    wait_for(lambda: succeeded(entry))
    wait_for(lambda: not valkey.zcard(line_keys("probe").running))  # the horse has told
    (gates / "books").unlink()
    wait_for(lambda: books_of(valkey, entry) == [None, 0, 0, [b"idle"]])
    assert not valkey.zcard(line_keys("probe").running)
    assert not valkey.hlen(line_keys("probe").claims)
    notes = [note for note in valkey.lrange(line_keys("probe").notes, 0, -1) if b":started:" in note]
    assert len(notes) == 1


def test_the_next_task_begins_while_the_horse_before_it_ends(
    processes: Processes, join: Join, gates: Path, valkey: redis.Redis
) -> None:
    worker = gated(processes, gates, "over")
    gate, entry, other = hold("first"), join("first"), join("second")
    stay(entry, other)
    wait_for(lambda: entered("first"))
    first = horse_of(worker)
    gate.unlink()
    wait_for(lambda: entered("second"))
    assert not is_dead(first)
    (gates / "over").unlink()
    wait_for(lambda: succeeded(entry, other))
    wait_for(lambda: is_dead(first) and is_at_rest(worker))
    wait_for(lambda: books_of(valkey, other) == [None, 0, 0, [b"idle"]])
    assert probe.calls() == ["first", "second"]


def test_a_worker_that_is_suspended_while_a_task_runs_starts_no_other(
    processes: Processes, join: Join, valkey: redis.Redis
) -> None:
    processes.worker()
    gate, entry, other = hold("first"), join("first"), join("second")
    stay(entry, other)
    wait_for(lambda: entered("first"))
    suspension.suspend(valkey)
    gate.unlink()
    wait_for(lambda: succeeded(entry))
    wait_for(lambda: books_of(valkey, entry)[1:] == [0, 0, [b"idle"]])
    assert probe.calls() == ["first"]
    suspension.resume(valkey)
    stay(other)
    wait_for(lambda: succeeded(other))


def test_a_runner_that_fails_is_in_rqs_registry_of_failures(
    processes: Processes, join: Join, gates: Path, valkey: redis.Redis
) -> None:
    gated(processes, gates, "fails")
    entry = join("one")
    stay(entry)
    wait_for(lambda: valkey.zscore("rq:failed:probe", entry.job_id))
    job = Job(entry.job_id, connection=valkey)
    wait_for(
        lambda: (
            (found := job.latest_result())
            and f"the runner of {entry.job_id} fails in probe" in (found.exc_string or "")
        )
    )
    (gates / "fails").unlink()
    stay(entry)
    wait_for(lambda: succeeded(entry))
    assert entry.attempt == 1
    assert probe.calls() == ["one"]
    wait_for(lambda: not valkey.keys(f"rq:*{entry.job_id}*"))


def rows_of(statement: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def test_a_worker_without_room_for_a_process_waits_and_leaves_nothing_behind(
    processes: Processes, join: Join, tmp_path: Path
) -> None:
    crowd, scratches = tmp_path / "crowd", tmp_path / "scratches"
    crowd.touch()
    scratches.mkdir()
    crowded = "tests.support.crowded_worker.CrowdedWorker"
    processes.worker("probe", "--worker-class", crowded, CROWD=str(crowd), TMPDIR=str(scratches))
    entry = join("later")
    stay(entry)
    wait_for(lambda: "no process for a task" in processes.logs())
    assert (status_of(entry), probe.calls()) == (Status.WAITING, [])
    crowd.unlink()
    wait_for(lambda: succeeded(entry))
    assert processes.logs().count("no process for a task") < 3
    wait_for(lambda: is_tidy(scratches))
