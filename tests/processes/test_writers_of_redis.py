"""A program that can write to Redis: it chooses no code that a worker runs, and no address that a worker calls.

Each test is one of the ways by which RQ comes to a function or an address that a key names.
"""

import json
import re
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rq.command import send_stop_job_command
from rq.serializers import JSONSerializer
from rq.utils import as_text

from queueing.line.jobs import RUNNER, job_key
from queueing.line.places import Line
from queueing.line.queue import LineQueue
from queueing.models import Entry
from queueing.states import Status
from queueing.testing.presence import stay
from tests.support import probe
from tests.support.entries import status_of
from tests.support.probe import entered, hold
from tests.support.processes import Processes, horse_of
from tests.support.slow import slow
from tests.support.waiting import wait_for
from tests.support.web_hook import Hook, listening

Join = Callable[..., Entry]
BREAK_IN = "tests.support.foreign.break_in"
FOREIGN = "tests.support.foreign_worker.ForeignWorker"
CALLBACKS = {
    f"{kind}_callback_{part}": value
    for kind in ("success", "failure", "stopped")
    for part, value in (("name", BREAK_IN), ("timeout", "10"))
}


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening() as hook:
        yield hook
    assert hook.calls == 0, "a worker has called an address that a key named"
    assert "broken-in" not in probe.calls(), "a worker has run a function that a key named"


def calls_of(hook: Hook) -> dict[str, str]:
    """The fields of a job's hash by which RQ calls something when the job ends."""
    webhooks = [{"url": hook.url, "job_status": status} for status in ("finished", "failed")]
    return CALLBACKS | {"webhooks": json.dumps(webhooks)}


def data_of(function: Any, *arguments: Any) -> bytes:
    return zlib.compress(json.dumps([function, None, arguments, {}]).encode())


def foreign_hash(hook: Hook, **fields: Any) -> dict[str, Any]:
    usual = {"created_at": "2026-01-01T00:00:00.000000Z", "description": "x", "origin": "probe", "timeout": 60}
    return usual | {"status": "queued", "data": data_of("os.getcwd")} | calls_of(hook) | fields


def write(line: Line, job_id: str, fields: dict[Any, Any]) -> None:
    line.client.hset(job_key(job_id), mapping=fields)


def has_run_after(join: Join, line: Line) -> bool:
    """The worker has come to another entry: what came before is over."""
    entry = join("after")
    stay(entry)
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED)
    wait_for(lambda: not line.claims() and not line.client.exists(job_key(entry.job_id)))
    return True


@pytest.mark.parametrize("end", ["", "die", *slow("error", "SIGSEGV")])
def test_an_entry_that_ends_calls_nothing(end: str, processes: Processes, join: Join, line: Line, hook: Hook) -> None:
    entry = join("victim", end=end)
    stay(entry)
    write(line, entry.job_id, calls_of(hook))
    processes.worker()
    wait_for(lambda: status_of(entry) in {Status.SUCCEEDED, Status.FAILED})
    assert has_run_after(join, line)
    wait_for(lambda: "are left out" in processes.logs())


def test_a_stopped_entry_calls_nothing(processes: Processes, join: Join, line: Line, hook: Hook) -> None:
    entry = join("stop")
    stay(entry)
    write(line, entry.job_id, calls_of(hook))
    hold("stop")
    processes.worker()
    wait_for(lambda: entered("stop"))
    write(line, entry.job_id, calls_of(hook))  # once more, while it runs
    wait_for(lambda: line.client.hget(job_key(entry.job_id), "worker_name"))
    send_stop_job_command(line.client, entry.job_id, serializer=JSONSerializer)
    wait_for(lambda: status_of(entry) == Status.CANCELLED)
    assert has_run_after(join, line)


def test_an_entry_that_the_writer_makes_up_calls_nothing(
    processes: Processes, join: Join, line: Line, hook: Hook
) -> None:
    """The hash names the runner, and its id is no entry's; as pushed by stock RQ, and with a place of its own."""
    fields = foreign_hash(hook, data=data_of(RUNNER))
    write(line, "ab" * 16, fields)
    line.client.rpush(line.keys.inbox, "ab" * 16)
    write(line, "cd" * 16, fields)
    line.client.zadd(line.keys.line, {"cd" * 16: -1e12})
    line.client.set("presence:" + "cd" * 16, 1)
    processes.worker()
    assert has_run_after(join, line)


def test_a_refused_job_calls_nothing_and_is_not_tried_again(
    processes: Processes, join: Join, line: Line, hook: Hook
) -> None:
    write(line, "evil", foreign_hash(hook, retries_left=1000, repeats_left=1000, group_id="g", rate_limit_key="r"))
    line.client.rpush(line.keys.inbox, "evil")
    processes.worker()
    wait_for(lambda: line.client.hget(job_key("evil"), "status") == b"failed")
    assert has_run_after(join, line)
    assert processes.logs().count("job evil refused") == 1


def test_an_allowed_foreign_job_calls_nothing_but_its_function(
    processes: Processes, join: Join, line: Line, hook: Hook
) -> None:
    write(line, "guest", foreign_hash(hook, data=data_of("tests.support.foreign.note", "guest")))
    line.client.rpush(line.keys.inbox, "guest")
    processes.manage("rqworker", "probe", "--worker-class", FOREIGN)
    wait_for(lambda: "guest" in probe.calls())
    assert has_run_after(join, line)


@pytest.mark.parametrize("function", ["os.getcwd", RUNNER])
def test_an_abandoned_job_in_a_registry_calls_nothing(
    function: str, processes: Processes, join: Join, line: Line, hook: Hook
) -> None:
    """RQ's maintenance, which every worker does at its start, fails such a job in the worker itself."""
    write(line, "gone", foreign_hash(hook, data=data_of(function), status="started"))
    line.client.zadd("rq:wip:probe", {"gone:execution": 1})
    processes.worker()
    wait_for(lambda: not line.client.exists("rq:wip:probe"))
    assert has_run_after(join, line)


def test_a_job_in_the_intermediate_list_calls_nothing(processes: Processes, join: Join, line: Line, hook: Hook) -> None:
    write(line, "stuck", foreign_hash(hook, retries_left=3))
    line.client.rpush("rq:queue:probe:intermediate", "stuck")
    line.client.set("rq:queue:probe:intermediate:first_seen:stuck", time.time() - 3600)
    processes.worker()
    assert has_run_after(join, line)


def test_nothing_waits_for_an_entry(processes: Processes, join: Join, line: Line, queue: LineQueue, hook: Hook) -> None:
    entry = join("first")
    stay(entry)
    write(line, "second", foreign_hash(hook, status="deferred", dependency_ids=json.dumps([entry.job_id])))
    line.client.sadd(f"{job_key(entry.job_id)}:dependents", "second")
    line.client.sadd(f"{job_key('second')}:dependencies", entry.job_id)
    processes.worker()
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED)
    assert has_run_after(join, line)
    assert line.client.hget(job_key("second"), "status") == b"deferred"


def test_an_entry_is_not_repeated_and_takes_no_arguments(
    processes: Processes, join: Join, line: Line, hook: Hook
) -> None:
    entry = join("once")
    stay(entry)
    asked = {"repeats_left": 50, "repeat_intervals": "[0]", "retries_left": 50, "retry_intervals": "[0]", "ttl": 9}
    asked |= {"group_id": "g", "rate_limit_key": "r", "rate_limit_concurrency": 1, "meta": "{}", "timeout": 1}
    asked |= {"origin": "tables", "result_ttl": 600, "data": data_of(RUNNER, "an argument")}
    write(line, entry.job_id, asked)
    processes.worker()
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED)
    assert has_run_after(join, line)
    assert probe.calls() == ["once", "after"]
    assert line.client.exists(*(f"rq:{name}:tables" for name in ("wip", "failed", "finished", "queue"))) == 0


def test_data_that_unpacks_to_gigabytes_costs_nothing(processes: Processes, join: Join, line: Line, hook: Hook) -> None:
    entry = join("bomb")
    stay(entry)
    packer, bomb = zlib.compressobj(9), b""
    for _ in range(400):
        bomb += packer.compress(b"[" * 2**20)
    bomb += packer.flush()
    write(line, entry.job_id, {"data": bomb, "exc_info": bomb})
    worker = processes.worker()
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED)
    status = Path(f"/proc/{worker.pid}/status").read_text()
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    assert int(peak) < 350_000


@pytest.mark.parametrize("function", [["a", "list"], "os\0system", *slow(None, 7, "x" * 10**6, "", "..")])
def test_a_function_of_no_sense_ends_no_worker(
    function: Any, processes: Processes, join: Join, line: Line, hook: Hook
) -> None:
    write(line, "evil", foreign_hash(hook, data=data_of(function)))
    line.client.rpush(line.keys.inbox, "evil")
    worker = processes.worker()
    assert has_run_after(join, line)
    assert worker.poll() is None


def test_ids_of_no_sense_are_passed_over(processes: Processes, join: Join, line: Line) -> None:
    """The whole line is full of them; each alone would keep a worker busy for good, since its claim stays."""
    for number in range(200):
        for job_id in (b"a b%d", b"..%%%d", b"\xff\xfe%d", b":%d", b"y" * 500 + b"%d"):
            line.client.zadd(line.keys.line, {job_id % number: -1e12})
            line.client.set(b"presence:" + job_id % number, 1)
    worker = processes.worker()
    assert has_run_after(join, line)
    assert worker.poll() is None


def test_commands_of_no_sense_do_not_make_a_worker_deaf(processes: Processes, join: Join, line: Line) -> None:
    entry = join("stop")
    stay(entry)
    hold("stop")
    processes.worker()
    wait_for(lambda: entered("stop"))
    (name,) = (as_text(key).removeprefix("rq:worker:") for key in line.client.smembers("rq:workers"))
    for command in (b"\xff", b"[]", b"{}", b"7", b"[" * 100_000, b'{"command": []}', b"", b'{"command": "stop-job"}'):
        line.client.publish(f"rq:pubsub:{name}", command)
    wait_for(lambda: line.client.hget(job_key(entry.job_id), "worker_name"))
    send_stop_job_command(line.client, entry.job_id, serializer=JSONSerializer)
    wait_for(lambda: status_of(entry) == Status.CANCELLED)


@pytest.mark.parametrize("status", [*slow("no status"), b"\xff"])
def test_a_status_of_no_sense_ends_no_worker(status: Any, processes: Processes, join: Join, line: Line) -> None:
    """RQ reads it again at the end of a horse that did not return."""
    entry = join("dies")
    stay(entry)
    gate = hold("dies")
    worker = processes.worker()
    wait_for(lambda: entered("dies"))
    wait_for(lambda: line.client.hget(job_key(entry.job_id), "worker_name"))  # RQ's books are written, with the status
    Entry.objects.filter(pk=entry.pk).update(kwargs={"label": "dies"})
    line.client.hset(job_key(entry.job_id), "status", status)
    horse_of(worker).kill()
    gate.unlink()
    assert has_run_after(join, line)
    assert worker.poll() is None


@pytest.mark.parametrize("member", [b"\xff\xfe", *slow("a:b:c", "a b:c", "")])
def test_a_registry_of_no_sense_ends_no_worker(member: Any, processes: Processes, join: Join, line: Line) -> None:
    for registry in ("wip", "failed", "deferred", "ready", "finished", "scheduled"):
        line.client.zadd(f"rq:{registry}:probe", {member: 1})
    line.client.rpush("rq:queue:probe:intermediate", member)
    worker = processes.worker()
    assert has_run_after(join, line)
    assert worker.poll() is None
