"""The limits of a line: of its task, or of the settings."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from queueing import registry
from queueing.work.limits import Limits, limits_of
from tests.support.paths import ROOT


def test_the_settings_are_the_limits_of_a_task_that_has_none(settings: Any) -> None:
    settings.QUEUEING = {
        "TASK_MEMORY_BYTES": 10**9,
        "TASK_CPU_SECONDS": 60,
        "TASK_DISK_BYTES": 10**8,
        "TASK_PROCESSES": 3,
    }
    assert limits_of("probe") == Limits(memory=10**9, cpu=60, disk=10**8, processes=3)
    assert limits_of("no such line") == limits_of("probe")


def test_a_task_has_its_own_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = dict(registry.all_tasks())
    tasks["probe"] = replace(tasks["probe"], memory_bytes=10**9, cpu_seconds=5, disk_bytes=10**6, processes=0)
    monkeypatch.setattr("queueing.work.limits.all_tasks", lambda: tasks)
    assert limits_of("probe") == Limits(memory=10**9, cpu=5, disk=10**6, processes=0)


DUMPS = """
import resource
from queueing.work.limits import prepare_worker
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
prepare_worker()
print(resource.getrlimit(resource.RLIMIT_CORE), 0 if hard == 0 else 1)
"""


def test_no_program_for_dumps_gets_the_memory_of_a_worker() -> None:
    """A limit of 0 would still start one; a machine whose own limit is 0 cannot be helped."""
    done = subprocess.run([sys.executable, "-c", DUMPS], capture_output=True, text=True, check=True, cwd=ROOT)
    limits, _, expected = done.stdout.strip().rpartition(" ")
    assert limits == f"({expected}, {expected})"


INHERITED = """
from queueing.work.birth import Birth, Terms
from queueing.work.limits import Limits, set_limits
held = b"x" * 300_000_000  # as a warm worker has
limits = Limits(memory=200_000_000, cpu=60, disk=1, processes=0)
birth = Birth.now()
set_limits(limits, inherited=Terms(limits, birth).inherited_data)
birth.scratch.delete()
more = b"x" * 150_000_000
try:
    b"x" * 150_000_000
except MemoryError:
    print("refused")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts memory on Linux only")
def test_memory_is_what_a_task_takes_beside_what_it_inherits() -> None:
    done = subprocess.run([sys.executable, "-c", INHERITED], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("refused\n", "")
