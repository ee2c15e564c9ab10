"""The first floor of speed, on real processes and with the default settings: `make bench`.

Start: from the form's answer to the first line of the task, on an idle worker. Pass: from the moment a worker asks
until it holds the one present entry behind 10,000 absent ones. Recover: from the `kill -9` of a worker in mid-task,
and from a claim whose worker is dead, to the next first line of the task. Outlive: a task of 100 s under a lease of
30 s.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tests import servers

if TYPE_CHECKING:
    from queueing.line import LineQueue

ABSENT = 10_000
RUNS = 25

# Everything below reads settings, which the plugin has just prepared.
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
os.environ["PROBE_TIMEOUT"] = "180"  # seconds the probe may run


def main() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    try:
        _print("start on an idle worker", _starts())
        _print(f"pass {ABSENT:,} absent entries", [_pass() for _ in range(5)])
        _recover()
        _outlive()
    finally:
        servers.pytest_unconfigure()


def _starts() -> list[float]:
    """Seconds from the answer of POST /join/probe/ to the task's first line."""
    from django.test import Client

    from tests import probe

    worker = _manage("rqworker", "probe")
    seconds = []
    try:
        for number in range(RUNS + 1):
            with tempfile.NamedTemporaryFile(suffix=".csv") as file:
                file.write(b"a,b\n1,2\n")
                file.seek(0)
                answer = Client().post(
                    "/join/probe/", {"file": file, "label": f"n{number}"}, headers={"host": "localhost"}
                )
            answered = time.time()
            assert answer.status_code == 303, answer.content
            while len(probe.calls()) <= number:
                time.sleep(0.001)
            entered = float(probe.log_path().read_text().splitlines()[number].split()[3])
            seconds.append(max(0.0, entered - answered))
            time.sleep(0.3)  # idle again
    finally:
        worker.terminate()
        worker.wait(20)
    return seconds[1:]  # the first waited for the worker to come up


def _pass() -> float:
    from queueing.line import get_line

    line = get_line("probe")
    line.connection.flushall()
    line.connection.zadd(line.keys.line, {uuid.uuid4().hex: number for number in range(ABSENT)})
    line.place("present", ABSENT + 1, presence=60)
    began = time.perf_counter()
    job_id, passed = line.claim("bench")
    seconds = time.perf_counter() - began
    assert (job_id, passed) == ("present", ABSENT)
    return seconds


def _recover() -> None:
    """One run each, at the same time, on two lines of places: the waits are the settings' own (LEASE and a round)."""
    from tests import probe

    probe.log_path().unlink()
    hold = probe.log_path().with_name("victim.hold")
    hold.touch()
    victim = _enqueue("victim")
    keeper, worker = _manage("keeper"), _manage("rqworker", "probe")
    _wait(lambda: probe.calls() == ["victim"])
    worker.kill()
    killed = time.time()
    claimed = _enqueue("claimed")
    assert _line().claim("dead") == (claimed, 0)
    second = _manage("rqworker", "probe")
    third = _manage("rqworker", "probe")
    try:
        _wait(lambda: len(probe.calls()) == 3)
        rows = [line.split() for line in probe.log_path().read_text().splitlines()[1:]]
        for label, attempt, _, at in rows:
            sys.stdout.write(f"{label} entered again (attempt {attempt}) {float(at) - killed:.1f} s after the death\n")
        assert victim
    finally:
        hold.unlink()
        for process in (keeper, worker, second, third):
            process.kill()
            process.wait(20)


def _outlive() -> None:
    """A task that runs for more than three leases on a healthy worker, beside the keeper, is entered once."""
    from queueing.models import Entry
    from tests import probe

    probe.log_path().unlink()
    job_id = _enqueue("steady", seconds=100)
    keeper, worker = _manage("keeper"), _manage("rqworker", "probe")
    try:
        _wait(lambda: Entry.objects.get(code=job_id).finished_at is not None)
        entry = Entry.objects.get(code=job_id)
        sys.stdout.write(
            f"a task of 100 s: entered {len(probe.calls())} time(s), attempt {entry.attempt}, {entry.status}\n"
        )
    finally:
        for process in (keeper, worker):
            process.kill()
            process.wait(20)


def _line() -> "LineQueue":
    from queueing.line import get_line

    return get_line("probe")


def _enqueue(label: str, seconds: float = 0) -> str:
    from tests.probe import probe

    return str(probe.using(backend="unattended").enqueue(label=label, seconds=seconds).id).replace("-", "")


def _manage(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _print(name: str, seconds: list[float]) -> None:
    low, high = min(seconds), max(seconds)
    row = f"{name}: median {statistics.median(seconds) * 1000:.1f} ms, {low * 1000:.1f} to {high * 1000:.1f} ms"
    sys.stdout.write(f"{row} ({len(seconds)} runs)\n")


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parent.parent.parent)
    main()
