"""The contract with RQ: the life of a worker, in one process on two lines that records its calls."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from rq.command import send_stop_job_command
from rq.exceptions import InvalidJobOperation
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import as_text

from queueing.line import clients
from queueing.line.jobs import FAILURE_TTL
from queueing.line.queue import LineQueue
from tests.support.clocks import QUICK
from tests.support.epochs import begin_epochs
from tests.support.paths import ROOT
from tests.support.processes import Processes
from tests.support.rq_inventory import OVERRIDES, WORKERS, Override
from tests.support.waiting import wait_for

pytestmark = pytest.mark.django_db  # a worker looks for its tables at its start


@dataclass
class Life:
    """The record of the calls, and the state of the worker and its jobs in Redis afterwards."""

    records: list[dict[str, Any]]
    jobs: dict[str, dict[str, Any]]
    name: str
    exit_status: int | None
    broke_off: str  # the first step that did not happen

    def calls(self, *names: str, event: str = "call") -> list[dict[str, Any]]:
        return [record for record in self.records if record["event"] == event and record.get("name") in names]


JOBS = ("report", "fail", "die", "sleep")
RECORDER = "tests.support.recording.RecordingWorker"


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Life]:
    """A worker is born, runs a job that reports, one that fails, one that dies, one that is stopped, and is stopped."""
    folder = tmp_path_factory.mktemp("life")
    client, path = clients.connection(), folder / "calls"
    client.flushall()
    begin_epochs(client)  # with the levers of the lines: there is no database here from which they could be read
    path.touch()
    queue = LineQueue("probe", connection=client, commit_mode="auto")
    for name in JOBS:
        queue.enqueue(f"tests.support.recording.{name}", job_id=name, result_ttl=0, failure_ttl=FAILURE_TTL)
    processes = Processes(folder)
    processes.use(QUICK)
    try:
        process = processes.manage("rqworker", "tables", "probe", "--worker-class", RECORDER, CALLS=str(path))
        broke_off = live(process, client, path)
        records = [json.loads(record) for record in path.read_text().splitlines()]
        name = next((as_text(key) for key in client.scan_iter("rq:worker:*", _type="hash")), "")
        known = {job_id: look_at(queue, job_id) for job_id in JOBS}
        yield Life(records, known, name.removeprefix("rq:worker:"), process.poll(), broke_off)
    finally:
        processes.stop()
        print(processes.logs())  # noqa: T201  # pytest shows it when a test fails


def live(process: "subprocess.Popen[bytes]", client: redis.Redis, calls: Path) -> str:
    """Lead a worker through its jobs. Returns the first step that did not happen, so that the tests can name it."""
    try:
        step = "runs the jobs, and looks twice after the last"
        wait_for(lambda: looks_at_last(calls) >= 2)
        step = "stops the job"
        send_stop_job_command(client, "sleep", serializer=JSONSerializer)
        wait_for(lambda: client.hget("rq:job:sleep", "status") == b"stopped")
        step = "is idle again"
        wait_for(lambda: b"idle" in {client.hget(key, "state") for key in client.smembers("rq:workers")})
        step = "ends when it is told to"
        process.terminate()
        wait_for(lambda: process.poll() is not None)
    except (AssertionError, InvalidJobOperation) as error:
        return f"{step} ({error})"
    return ""


STARTED, LOOKED = (f'"event": "call", "name": "{name}"' for name in ("fork_work_horse", "maintain_heartbeats"))


def looks_at_last(calls: Path) -> int:
    """The looks at the last job. On a busy machine those before it may take long enough for a look, too."""
    *before, last = calls.read_text().split(STARTED)
    return last.count(LOOKED) if len(before) == len(JOBS) else 0


def look_at(queue: LineQueue, name: str) -> dict[str, Any]:
    client, key = queue.connection, Job.key_for(name)
    return {
        "exists": bool(client.exists(key)),
        "status": client.hget(key, "status"),
        "in_failed_registry": client.zscore(f"rq:failed:{queue.name}", name) is not None,
        "life": client.ttl(key),
    }


def test_a_worker_lives_through_its_jobs(life: Life) -> None:
    assert not life.broke_off, f"There is a step that rq.worker.Worker does not take any more: {life.broke_off}"


CALLED = {override.name: override for cls in WORKERS for override in OVERRIDES[cls] if override.where}.values()


@pytest.mark.parametrize("override", CALLED, ids=lambda override: override.name)
def test_rq_calls_it(override: Override, life: Life) -> None:
    assert {call["where"] for call in life.calls(override.name)} == set(override.where.split()), (
        f"RQ does not call Worker.{override.name} in its {override.where} as before: "
        f"{override.name} is overridden, so that {override.why}"
    )


def test_a_worker_that_was_stopped_ends_well(life: Life) -> None:
    assert life.exit_status == 0, "rq.worker.Worker.work does not end with 0 after a SIGTERM: a supervisor expects it."


def test_a_job_goes_its_way_in_the_worker(life: Life) -> None:
    steps = ("execute_job", "fork_work_horse", "monitor_work_horse", "wait_for_horse")
    calls = [call["name"] for call in life.calls(*steps)]
    assert calls[:4] == list(steps), (
        "rq.worker.Worker.execute_job takes other steps: PresenceWorker overrides it and monitor_work_horse."
    )


def test_a_horse_is_set_up_before_its_job_starts(life: Life) -> None:
    steps = ("main_work_horse", "setup_work_horse_signals", "perform_job")
    calls = [call["name"] for call in life.calls(*steps) if call["where"] == "horse"]
    assert calls[:3] == list(steps), (
        "rq.worker.Worker.main_work_horse takes other steps: PresenceWorker.setup_work_horse_signals must come first."
    )


def report_of(life: Life) -> dict[str, Any]:
    reports = [record for record in life.records if record["event"] == "report"]
    assert len(reports) == 1, "rq.worker.Worker.perform_job does not call the function of a job, or calls it twice."
    return reports[0]


def test_a_horse_knows_its_worker_and_job(life: Life) -> None:
    assert report_of(life)["environment"] == {"RQ_WORKER_ID": life.name, "RQ_JOB_ID": "report"}, (
        "rq.worker.Worker.fork_work_horse sets another environment: runner.run reads its worker in RQ_WORKER_ID."
    )


def test_the_function_of_a_job_can_ask_for_its_job(life: Life) -> None:
    assert report_of(life)["current_job"] == "report", (
        "rq.get_current_job does not give the job inside of rq.job.Job.perform: a runner without arguments asks for it."
    )


def test_a_horse_has_its_own_group_signals_and_alarm(life: Life) -> None:
    report = report_of(life)
    assert report["leads_its_group"], "rq.worker.Worker.fork_work_horse gives the horse no group: kill_horse kills it."
    assert report["ignores_sigint"], "rq.worker.Worker.setup_work_horse_signals lets Ctrl-C end a horse."
    assert report["ends_at_sigterm"], "rq.worker.Worker.setup_work_horse_signals leaves SIGTERM as it is in the worker."
    assert report["has_an_alarm"], "rq.worker.Worker.perform_job sets no alarm: a task's timeout comes by SIGALRM."


def test_a_job_that_is_done_leaves_no_hash(life: Life) -> None:
    assert not life.jobs["report"]["exists"], (
        "rq.worker.Worker.handle_job_success keeps a job whose result_ttl is 0: PresenceWorker relies on that."
    )


def test_a_job_that_raised_is_in_the_failed_registry(life: Life) -> None:
    for name in ("fail", "die"):
        assert (life.jobs[name]["status"], life.jobs[name]["in_failed_registry"]) == (b"failed", True), (
            f"rq.worker.Worker.handle_job_failure does not keep a job whose function does {name!r}."
        )
        assert 0 < life.jobs[name]["life"] <= FAILURE_TTL, (
            "rq.job.Job.cleanup gives a failed job another life than its failure_ttl: jobs.save_job sets that."
        )


def test_a_job_that_was_stopped_is_kept_as_stopped(life: Life) -> None:
    assert (life.jobs["sleep"]["status"], life.jobs["sleep"]["in_failed_registry"]) == (b"stopped", True), (
        "rq.command.send_stop_job_command stops a job otherwise: PresenceWorker ends the row, RQ keeps the job."
    )
    given = [call["arguments"] for call in life.calls("_handle_stopped_job")]
    assert given == [{"job": "LineJob", "queue": "LineQueue", "execution": "Execution"}], (
        "rq.worker.Worker._handle_stopped_job gets something else: PresenceWorker overrides it to end the row."
    )


def test_a_horse_that_ends_is_told_with_its_status(life: Life) -> None:
    ended = [record["value"] for record in life.calls("wait_for_horse", event="return")]
    assert all(len(value) == 3 for value in ended), (
        "rq.worker.Worker.wait_for_horse is not (pid, status, rusage) any more."
    )
    assert [status for _, status, _ in ended] == [0, 0, 3 << 8, signal.SIGKILL], (
        "rq.worker.Worker.wait_for_horse gives other statuses for jobs that return, raise, exit with 3, and are killed."
    )
    performed = [record["value"] for record in life.calls("perform_job", event="return")]
    assert performed == [True, False], "rq.worker.Worker.perform_job does not say whether the function raised."


def test_rq_looks_after_a_running_job_at_each_interval(life: Life) -> None:
    errors = {record["error"] for record in life.calls("wait_for_horse", event="raise")}
    assert errors == {"HorseMonitorTimeoutException"}, (
        "rq.worker.Worker.wait_for_horse is broken off by something else."
    )
    last_began = life.calls("fork_work_horse")[-1]["at"]
    looks = [call["at"] for call in life.calls("maintain_heartbeats") if call["at"] > last_began]
    sentence = (
        "rq.worker.Worker.monitor_work_horse does not call maintain_heartbeats each job_monitoring_interval: "
        "PresenceWorker.maintain_heartbeats renews the lease in it."
    )
    assert len(looks) >= 2, sentence
    first, second, *_ = looks
    assert QUICK["LEASE"] / 3 - 0.1 < second - first < QUICK["LEASE"], sentence
    between = life.calls("heartbeat")
    given = [call["arguments"] for call in between if first <= call["at"] < second and call["where"] == "worker"]
    assert given == [{"timeout": 61, "pipeline": "Pipeline"}], (
        "rq.worker.Worker.maintain_heartbeats calls heartbeat otherwise: PresenceWorker.heartbeat overrides it."
    )


def test_a_worker_turns_its_queues_after_a_job(life: Life) -> None:
    assert {call["where"] for call in life.calls("reorder_queues")} == {"worker"}, (
        "rq.worker.Worker.work does not turn its queues after a job: a busy line starves the others."
    )


def test_django_rqs_command_makes_a_worker_with_these(life: Life) -> None:
    made = [call["arguments"] for call in life.calls("__init__")]
    named = {"connection", "exception_handlers", "job_class", "queue_class", "name", "worker_ttl", "serializer"}
    assert [(each["queues"], set(each["kwargs"])) for each in made] == [(["LineQueue", "LineQueue"], named)], (
        "django_rq.get_worker makes workers with other arguments: PresenceWorker.__init__ overrides some of them."
    )


WITHOUT_A_HORSE = """
import django, redis, rq
django.setup()
from django.conf import settings
from queueing.work.worker import PresenceWorker
client = redis.Redis.from_url(settings.REDIS_URL)
PresenceWorker(["probe"], connection=client).kill_horse()
print("ours lives", flush=True)
rq.Worker(["probe"], connection=client).kill_horse()
print("stock lives", flush=True)
"""


def test_without_a_horse_rq_kills_its_own_process_group() -> None:
    process = subprocess.run(
        [sys.executable, "-c", WITHOUT_A_HORSE],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
        start_new_session=True,  # the group that is killed is its own, not that of the tests
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ours lives" in process.stdout, (
        f"PresenceWorker.kill_horse without a horse kills its own group. {process.stderr}"
    )
    assert process.returncode == -signal.SIGKILL, (
        "rq.worker.Worker.kill_horse without a horse kills nobody now: PresenceWorker.kill_horse need not guard it."
    )
