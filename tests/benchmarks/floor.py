"""The first floor of speed, on real processes: `python -m tests.benchmarks.floor` (or `make bench`).

Start: from the form's answer to the first line of the task, on an idle worker. Pass: from the moment a worker asks
until it holds the one present entry behind 10,000 absent ones.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from tests import servers

ABSENT = 10_000
RUNS = 25

# Everything below reads settings, which the plugin has just prepared.
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"


def main() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    try:
        _print("start on an idle worker", _starts())
        _print(f"pass {ABSENT:,} absent entries", [_pass() for _ in range(5)])
    finally:
        servers.pytest_unconfigure()


def _starts() -> list[float]:
    """Seconds from the answer of POST /join/probe/ to the task's first line."""
    from django.test import Client

    from tests import probe

    worker = subprocess.Popen(
        [sys.executable, "manage.py", "rqworker", "probe"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    seconds = []
    try:
        for number in range(RUNS + 1):
            with tempfile.NamedTemporaryFile(suffix=".csv") as file:
                file.write(b"a,b\n1,2\n")
                file.seek(0)
                answer = Client().post("/join/probe/", {"file": file, "label": f"n{number}"}, headers={"host": "localhost"})
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


def _print(name: str, seconds: list[float]) -> None:
    low, high = min(seconds), max(seconds)
    row = f"{name}: median {statistics.median(seconds) * 1000:.1f} ms, {low * 1000:.1f} to {high * 1000:.1f} ms"
    sys.stdout.write(f"{row} ({len(seconds)} runs)\n")


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parent.parent.parent)
    main()
