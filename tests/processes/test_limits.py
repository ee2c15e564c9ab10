"""A task over one of its limits, and what a task may do, with real workers and horses."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from queueing import landlock, sandbox
from queueing.models import Entry
from queueing.states import Reason, Status
from queueing.testing.presence import stay
from tests.support import probe
from tests.support.entries import status_of
from tests.support.probe import entered, hold
from tests.support.processes import Processes, horse_of, is_at_rest, is_dead, is_tidy
from tests.support.servers import FOLDER
from tests.support.slow import slow
from tests.support.waiting import wait_for

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux"),
]

Join = Callable[..., Entry]
MEGABYTE = 2**20


@pytest.fixture
def scratches(processes: Processes, tmp_path: Path) -> Path:
    """The folder in which the workers of this test make the temporary folders of their horses."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    processes.environment["TMPDIR"] = str(folder)
    processes.use({"TASK_MEMORY_BYTES": 128 * MEGABYTE, "TASK_DISK_BYTES": 32 * MEGABYTE, "TASK_CPU_SECONDS": 30})
    return folder


def folder_of_first(scratches: Path) -> Path:
    """The folder of the horse that was forked first."""
    return min(scratches.iterdir(), key=lambda folder: folder.stat().st_ctime_ns)


def ended(entry: Entry) -> Entry | None:
    return Entry.objects.final().filter(pk=entry.pk).first()


LIMITS = {
    "hog": "more memory",
    "hog in children": "more memory",
    "share": "more memory",
    "fill": "more room on the disk",
    "fill without a name": "more room on the disk",
    "many files": "more room on the disk",
    "save much": "more room on the disk",
    "multiply": "more processes",
}


USUAL = ["hog", "fill", "multiply"]  # among the fast tests


@pytest.mark.parametrize("end", [*USUAL, *slow(*(end for end in LIMITS if end not in USUAL))])
def test_a_task_over_a_limit_has_failed_by_its_input_and_is_not_run_again(
    processes: Processes, join: Join, scratches: Path, end: str
) -> None:
    worker = processes.worker()
    entry, following = join("first", end=end), join("second")
    stay(entry, following)
    failed = wait_for(lambda: ended(entry))
    assert (failed.status, failed.reason, failed.attempt) == (Status.FAILED, Reason.CRASHED, 1)
    assert LIMITS[end] in failed.message
    assert not failed.keeps_place_for_successor
    assert wait_for(lambda: ended(following)).status == Status.SUCCEEDED
    assert probe.calls() == ["first", "second"]
    wait_for(lambda: is_at_rest(worker))
    wait_for(lambda: is_tidy(scratches))


def test_a_task_that_computes_for_too_long_is_ended_by_the_kernel(
    processes: Processes, join: Join, scratches: Path
) -> None:
    processes.use({"TASK_CPU_SECONDS": 1})
    processes.worker()
    entry = join(end="compute")
    stay(entry)
    failed = wait_for(lambda: ended(entry))
    assert (failed.status, failed.reason, failed.attempt) == (Status.FAILED, Reason.CRASHED, 1)
    assert "more computing time" in failed.message
    assert failed.error_class == "SIGXCPU"


def test_native_code_that_hears_no_alarm_ends_soon_after_the_timeout(
    processes: Processes, join: Join, scratches: Path
) -> None:
    processes.worker(PROBE_TIMEOUT="2")
    entry = join(end="compute")
    stay(entry)
    failed = wait_for(lambda: ended(entry))
    assert (failed.status, failed.reason, failed.attempt) == (Status.FAILED, Reason.TIMEOUT, 1)
    assert failed.run_time
    assert failed.run_time.total_seconds() < 10
    assert len(probe.calls()) == 1


def test_a_horse_that_the_system_killed_with_little_memory_is_run_again(
    processes: Processes, join: Join, scratches: Path
) -> None:
    worker = processes.worker()
    entry, gate = join("victim"), hold("victim")
    stay(entry)
    wait_for(lambda: entered("victim"))
    horse_of(worker).kill()
    wait_for(lambda: entered("victim", 2))
    gate.unlink()
    assert wait_for(lambda: ended(entry)).status == Status.SUCCEEDED
    wait_for(lambda: is_tidy(scratches))


def test_the_folder_of_a_killed_worker_is_deleted_by_another_one(
    processes: Processes, join: Join, scratches: Path
) -> None:
    entry = join("victim")
    stay(entry)
    gate = hold("victim")
    worker = processes.worker()
    wait_for(lambda: entered("victim"))
    horse = horse_of(worker)
    left = folder_of_first(scratches)
    foreign = scratches / "of somebody else"
    foreign.mkdir()
    worker.kill()
    wait_for(partial(is_dead, horse))
    assert left.exists()
    processes.worker()
    wait_for(lambda: not left.exists())
    assert foreign.exists()
    gate.unlink()


def test_a_worker_leaves_the_folders_of_the_others_alone(processes: Processes, join: Join, scratches: Path) -> None:
    entry = join("busy")
    stay(entry)
    gate = hold("busy")
    processes.worker()
    wait_for(lambda: entered("busy"))
    folder = folder_of_first(scratches)
    processes.worker()
    assert folder.exists()
    gate.unlink()
    assert wait_for(lambda: ended(entry)).status == Status.SUCCEEDED


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    return folder


@pytest.fixture
def as_ordinary_user(processes: Processes, tmp_path: Path, scratches: Path, settings: Any) -> Iterator[None]:
    """Workers of a user without rights, who can read everything, as root's own Python may be out of reach else."""
    if os.geteuid():
        yield
        return
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not on this machine")
    processes.prefix = [
        "setpriv",
        "--reuid=65534",
        "--clear-groups",
        "--inh-caps=-all,+dac_read_search",
        "--ambient-caps=+dac_read_search",
        "--bounding-set=-all,+dac_read_search",
    ]
    for path in [FOLDER, *FOLDER.rglob("*"), *tmp_path.rglob("*"), tmp_path]:
        with suppress(FileNotFoundError):  # the servers have files there that come and go
            path.chmod(0o777)
    # A site's web processes and workers are one user. Here they are two: the tests store what the worker reads.
    settings.FILE_UPLOAD_PERMISSIONS, settings.FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o666, 0o777
    umask = os.umask(0)
    yield
    os.umask(umask)


@pytest.mark.parametrize("user", ["tests", "ordinary"])
def test_a_task_has_its_own_folder_no_keys_and_few_rights(
    processes: Processes, join: Join, scratches: Path, media: Path, request: pytest.FixtureRequest, user: str
) -> None:
    if user == "ordinary":
        request.getfixturevalue("as_ordinary_user")
    # Elsewhere: beside the database of the tests it would be in the folder of SQLite's files.
    processes.environment["MEDIA_ROOT"] = str(media)
    processes.is_forked = False  # a fork shows the environment of its server
    processes.worker()
    entry = join(end="look around")
    stay(entry)
    found = wait_for(lambda: ended(entry)).result
    assert Path(found["folder"]).parent == scratches
    wait_for(lambda: is_tidy(scratches))  # whatever rights the task has left on it
    assert (found["secret"], found["environ"], found["core"] <= 1, found["oom"]) == (False, False, True, 500)
    assert not found["privileges"]
    if _landlock():
        assert found["writable"] == ["own"]


def _landlock() -> bool:
    return landlock.version(sandbox.LIBC) > 0


@pytest.mark.parametrize("end", ["child", "multiply"])
def test_a_task_without_processes_can_start_none(processes: Processes, join: Join, scratches: Path, end: str) -> None:
    """Nor can root's: the kernel refuses the call."""
    processes.worker(PROBE_PROCESSES="0")
    entry = join(end=end)
    stay(entry)
    failed = wait_for(lambda: ended(entry))
    assert (failed.status, failed.reason) == (Status.FAILED, Reason.ERROR)
    assert "PermissionError" in failed.error_class


@pytest.mark.usefixtures("as_ordinary_user")
@pytest.mark.parametrize("end", ["fill without a name", *slow("hog", "multiply")])
def test_an_ordinary_user_keeps_the_limits_too(processes: Processes, join: Join, scratches: Path, end: str) -> None:
    processes.worker()
    entry = join(end=end)
    stay(entry)
    failed = wait_for(lambda: ended(entry))
    assert LIMITS[end] in failed.message
    wait_for(lambda: is_tidy(scratches))


def test_a_worker_without_room_for_a_folder_gives_the_entry_back(
    processes: Processes, join: Join, scratches: Path
) -> None:
    processes.worker()
    wait_for(lambda: any(scratches.iterdir()))  # of the standby
    shutil.rmtree(scratches)
    scratches.touch()  # no folder can be made in it
    entry = join("later")
    stay(entry)
    wait_for(lambda: "no temporary folder" in processes.logs())
    assert (status_of(entry), probe.calls()) == (Status.WAITING, [])
    scratches.unlink()
    scratches.mkdir()
    assert wait_for(lambda: ended(entry)).attempt == 1


def test_a_task_that_ends_at_its_timeout_is_stored_though_the_worker_watches(
    processes: Processes, join: Join, scratches: Path
) -> None:
    """RQ's alarm is heard by this one; the worker gives it a moment to say so itself."""
    processes.worker(PROBE_TIMEOUT="1")

    def is_heard() -> bool:
        """A busy machine may take longer than that moment; then the worker has ended the task."""
        entry = join(end="sleep")
        stay(entry)
        failed = wait_for(lambda: ended(entry))
        assert failed.reason == Reason.TIMEOUT
        return bool(failed.error_class == "rq.timeouts.JobTimeoutException")

    wait_for(is_heard)
