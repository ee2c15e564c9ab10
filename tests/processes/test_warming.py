"""Tasks that are loaded before the fork: once, for all horses of a worker and all workers of a pool."""

import sys
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest
from django.core.files.base import ContentFile

from queueing import joining, registry
from queueing.models import Entry
from queueing.states import Status
from queueing.testing.presence import stay
from tests.support import documents, probe
from tests.support.paths import TABLE
from tests.support.processes import Processes
from tests.support.waiting import wait_for

Join = Callable[..., Entry]
COLD = "the task probe did not warm up"
RUNS = 20


@pytest.fixture(autouse=True)
def noted(tmp_path: Path, processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe notes in this test's own folder where it was warmed up."""
    monkeypatch.setenv("PROBE_LOG", str(tmp_path / "probe.log"))
    processes.environment |= {"PROBE_LOG": str(tmp_path / "probe.log"), "PROBE_WARM_UP": "note"}


def succeeded(*entries: Entry) -> bool:
    return Entry.objects.filter(pk__in=[entry.pk for entry in entries], status=Status.SUCCEEDED).count() == len(entries)


def test_a_worker_warms_up_the_tasks_of_its_lines_before_its_first_horse(processes: Processes, join: Join) -> None:
    processes.worker("tables")
    assert probe.warmed() == []
    worker = processes.worker("tables", "probe")
    assert probe.warmed() == [worker.pid]
    entries = [join(label) for label in ("one", "two")]
    stay(*entries)
    wait_for(lambda: succeeded(*entries))
    assert probe.warmed() == [worker.pid]


def test_a_pool_warms_up_once_for_all_of_its_workers(processes: Processes, join: Join) -> None:
    pool = processes.manage("rqworker-pool", "probe", "--num-workers", "2")
    wait_for(lambda: len(psutil.Process(pool.pid).children()) == 2)
    entry = join("one")
    stay(entry)
    wait_for(lambda: succeeded(entry))
    assert probe.warmed() == [pool.pid]


def test_a_task_that_does_not_warm_up_is_told_once_and_runs(processes: Processes, join: Join) -> None:
    pool = processes.manage("rqworker-pool", "probe", "--num-workers", "2", PROBE_WARM_UP="fail")
    wait_for(lambda: len(psutil.Process(pool.pid).children()) == 2)
    entries = [join(label) for label in ("one", "two")]
    stay(*entries)
    wait_for(lambda: succeeded(*entries))
    assert probe.warmed() == [pool.pid]
    assert processes.logs().count(COLD) == 1
    assert "It is too cold" in processes.logs()


# Two of a size for which nothing was prepared, one of them that of a turned page.
PAGES = (documents.drawn(size=(1300, 1800)), documents.drawn(), documents.drawn(size=(1800, 1300)))
INPUTS: dict[str, list[bytes]] = {
    "documents": [documents.saved(page, "PNG") for page in PAGES],
    "tables": [TABLE.read_bytes()],
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="isolated on Linux only")
@pytest.mark.parametrize("name", INPUTS)
def test_forks_of_a_warm_pool_do_not_hang(
    processes: Processes,
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[object]],
    name: str,
) -> None:
    processes.manage("rqworker-pool", *INPUTS, "--num-workers", "2")
    entries = []
    for number in range(RUNS):
        with django_capture_on_commit_callbacks(execute=True):
            entry = joining.join(
                registry.get_task(name),
                code=uuid.uuid4(),
                owner=joining.Owner(uuid.uuid4()),
                upload=ContentFile(INPUTS[name][number % len(INPUTS[name])], name="a.bin"),
                content_type="application/octet-stream",
                options={},
            )
        joining.look(entry, 60)
        stay(entry)
        entries.append(entry)
    wait_for(lambda: succeeded(*entries), 120)
    assert "threads" not in processes.logs()
