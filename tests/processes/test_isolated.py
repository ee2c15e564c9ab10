"""An isolated task with real workers: what it cannot reach, and all ends that any task has."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client

from queueing import landlock, sandbox
from queueing.models import Entry
from queueing.registry import get_task
from queueing.states import Reason, Status
from queueing.testing.presence import stay
from tests.support import probe
from tests.support.connections import forget_connections
from tests.support.own_valkey import OwnValkey
from tests.support.paths import ROOT
from tests.support.probe import entered, hold
from tests.support.processes import Processes, horses_of, is_at_rest, is_dead, is_tidy
from tests.support.slow import slow
from tests.support.waiting import wait_for

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(sys.platform != "linux", reason="needs Linux"),
]

# The version of Landlock: 1 knows files, 6 signals. 0: none.
LANDLOCK = max(0, landlock.version(sandbox.LIBC))

Join = Callable[..., Entry]
MEGABYTE = 2**20
PASSWORD = "a-password-of-the-tests"


@pytest.fixture(autouse=True)
def isolated(processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers whose probe is isolated; its log is in a folder without anything else."""
    for folder in ("tmp", "log"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("PROBE_LOG", str(tmp_path / "log" / "probe.log"))
    processes.environment |= {
        "PROBE_LOG": str(tmp_path / "log" / "probe.log"),
        "PROBE_ISOLATED": "1",
        "PROBE_PROCESSES": "0",
        "TMPDIR": str(tmp_path / "tmp"),
    }


def ended(entry: Entry) -> Entry | None:
    return Entry.objects.final().filter(pk=entry.pk).first()


def end_of(entry: Entry) -> Entry:
    stay(entry)
    found: Entry = wait_for(lambda: ended(entry))
    return found


def told_by(entry: Entry) -> dict[str, str]:
    """The task's words about its deeds."""
    result = end_of(entry).result
    assert isinstance(result, dict)
    return result


def contents(entry: Entry) -> dict[str, bytes]:
    return {file.name: Path(file.file.path).read_bytes() for file in entry.files.all()}


@pytest.mark.parametrize("settings_module", ["tests.settings", *slow("tests.support.pathless")])
def test_a_task_reads_its_input_reports_and_saves_files(processes: Processes, join: Join, settings_module: str) -> None:
    # A storage without paths stands for a remote one, which no rule about files keeps from its horse.
    media = str(django_settings.MEDIA_ROOT) if settings_module != "tests.settings" else ""
    processes.worker(DJANGO_SETTINGS_MODULE=settings_module, PROBE_WRITABLE=media)
    entry, gate = join("good", end="work"), hold("good")
    stay(entry)
    wait_for(lambda: Entry.objects.filter(pk=entry.pk, progress__gt=0, message="Working on good").exists())
    gate.unlink()
    done = wait_for(lambda: ended(entry))
    assert (done.status, done.result) == (Status.SUCCEEDED, {"label": "good", "attempt": 1}), done.traceback
    content = b"input of good"
    assert contents(done) == {
        "copy.csv": content,
        "size.txt": str(len(content)).encode(),
        "answer.txt": b"good\n",
    }
    assert done.files.get(name="copy.csv").content_type == "text/csv"


def doors_of_the_database() -> list[str]:
    """The deeds that come to the server of the database, or to its file."""
    found = connection.settings_dict
    if connection.vendor == "sqlite":
        return [f"read: {found['NAME']}", f"write: {found['NAME']}-wal"]
    host, port = found["HOST"], found["PORT"] or 5432
    return [f"unix: {host}/.s.PGSQL.{port}"] if host.startswith("/") else [f"tcp: {port}"]


@pytest.mark.skipif(LANDLOCK < 1, reason="needs Landlock")
def test_a_task_reaches_nothing_of_the_site(
    processes: Processes, join: Join, own_valkey: OwnValkey, settings: object, tmp_path: Path
) -> None:
    own_valkey.client.config_set("requirepass", PASSWORD)
    address = f"redis://:{PASSWORD}@127.0.0.1:{own_valkey.port}/0"
    django_settings.REDIS_URL = processes.environment["REDIS_URL"] = address
    forget_connections()
    other = join("other")
    worker = processes.worker()
    deeds = {
        f"tcp: {own_valkey.port}": "PermissionError",
        f"unix: {own_valkey.socket}": "PermissionError",
        f"read: {other.input.path}": "PermissionError",
        f"read: {ROOT / 'pyproject.toml'}": "PermissionError",
        "read: /proc/self/environ": "PermissionError",
        f"read: /proc/{worker.pid}/environ": "PermissionError",
        f"read: /proc/{worker.pid}/cmdline": "PermissionError",
        f"write: {other.input.path}": "PermissionError",
        f"write: {tmp_path / 'tmp' / 'x'}": "PermissionError",
        "write: /dev/shm/x": "PermissionError",
        f"remove: {other.input.path}": "PermissionError",
        "fork": "PermissionError",
        "run": "PermissionError",
        "kill parent": "PermissionError",
        f"kill: {worker.pid}": "PermissionError",
        "query": "ConnectionDoesNotExist",
        "key": "ImproperlyConfigured",
        "descriptors": "1 sockets, 0 others",
        "ask redis": "BadAddress",
    }
    deeds |= dict.fromkeys(doors_of_the_database(), "PermissionError")
    entry = join("spy", deeds=[*deeds, "peers"])
    found = told_by(entry)
    known = found.pop("peers")
    assert found == deeds
    assert PASSWORD not in known
    assert "REDIS_URL" in known  # the settings are there, without their values
    assert str(django_settings.DATABASES["default"]["NAME"]) not in known


@pytest.mark.skipif(LANDLOCK < landlock.SCOPES_SINCE, reason="needs Linux 6.12")
def test_a_task_that_starts_processes_cannot_signal_its_horse(processes: Processes, join: Join) -> None:
    processes.worker(PROBE_PROCESSES="4")
    deeds = {"kill parent": "PermissionError", "look into parent": "PermissionError"}
    entry = join("spy", deeds=[*deeds, "run"])
    found = told_by(entry)
    assert found.pop("run") != "PermissionError"
    assert found == deeds


def test_a_crash_is_seen_though_a_child_of_the_task_lives(processes: Processes, join: Join) -> None:
    worker = processes.worker(PROBE_PROCESSES="4")
    entry = join("bad", end="crash beside a child")
    failed = end_of(entry)
    assert (failed.reason, failed.error_class) == (Reason.CRASHED, "SIGSEGV")
    wait_for(lambda: is_at_rest(worker))


ENDS = {
    "unusable": (Reason.UNUSABLE, "This input has no corners.", "queueing.exceptions.UnusableInput"),
    "error": (Reason.ERROR, "Something went wrong", "builtins.RuntimeError"),
    "exit": (Reason.ERROR, "Something went wrong", "builtins.SystemExit"),
    "nan": (Reason.ERROR, "Something went wrong", "builtins.ValueError"),
    "bad name": (Reason.ERROR, "Something went wrong", "builtins.ValueError"),
    "bad type": (Reason.ERROR, "Something went wrong", "builtins.ValueError"),
    "memory": (Reason.CRASHED, "more memory", "builtins.MemoryError"),
    "SIGSEGV": (Reason.CRASHED, "crashed the program", "SIGSEGV"),
    "SIGABRT": (Reason.CRASHED, "crashed the program", "SIGABRT"),
    "SIGXCPU": (Reason.CRASHED, "more computing time", "SIGXCPU"),
    "hog": (Reason.CRASHED, "more memory", ""),
    "share": (Reason.CRASHED, "more memory", ""),
    "fill": (Reason.CRASHED, "more room", ""),
    "fill without a name": (Reason.CRASHED, "more room", ""),
    "save much": (Reason.CRASHED, "more room", "queueing.exceptions.FilesTooLarge"),
    "flood": (Reason.CRASHED, "more room", "queueing.exceptions.FilesTooLarge"),
}
USUAL = ["unusable", "error", "nan", "memory", "SIGSEGV", "fill", "save much"]  # among the fast tests


@pytest.mark.parametrize("end", [*USUAL, *slow(*(end for end in ENDS if end not in USUAL))])
def test_a_failure_has_the_same_blame_as_that_of_a_plain_task(
    processes: Processes, join: Join, tmp_path: Path, end: str
) -> None:
    processes.use({"TASK_MEMORY_BYTES": 128 * MEGABYTE, "TASK_DISK_BYTES": 32 * MEGABYTE})
    worker = processes.worker()
    entry = join("bad", end=end)
    failed = end_of(entry)
    reason, sentence, error_class = ENDS[end]
    assert (failed.status, failed.reason, failed.attempt) == (Status.FAILED, reason, 1)
    assert sentence in failed.message
    assert failed.error_class == error_class or not error_class
    if reason == Reason.ERROR and end != "nan":
        assert "probe.py" in failed.traceback
    wait_for(lambda: is_at_rest(worker))
    wait_for(lambda: is_tidy(tmp_path / "tmp"))
    assert not any((Path(django_settings.MEDIA_ROOT) / "entries" / str(entry.code) / "1").glob("*"))


@pytest.mark.parametrize("end", ["compute", "sleep"])
def test_a_task_ends_at_its_timeout_whatever_it_does(processes: Processes, join: Join, end: str) -> None:
    worker = processes.worker(PROBE_TIMEOUT="1")
    entry = join("late", end=end)
    failed = end_of(entry)
    assert (failed.status, failed.reason, failed.attempt) == (Status.FAILED, Reason.TIMEOUT, 1)
    wait_for(lambda: is_at_rest(worker))


def test_a_task_hears_that_its_visitor_has_left(processes: Processes, join: Join) -> None:
    worker = processes.worker()
    entry, _ = join("left"), hold("left")
    stay(entry)
    wait_for(lambda: entered("left"))
    Entry.objects.get(pk=entry.pk).cancel(Reason.LEFT)
    wait_for(lambda: is_at_rest(worker))
    assert Entry.objects.get(pk=entry.pk).status == Status.CANCELLED
    assert "VisitorLeft" not in processes.logs()


def test_the_process_dies_with_its_horse(processes: Processes, join: Join) -> None:
    worker = processes.worker()
    entry, gate = join("victim"), hold("victim")
    stay(entry)
    wait_for(lambda: entered("victim"))
    horse, task = horses_of(worker)
    horse.kill()
    wait_for(lambda: is_dead(task))
    gate.unlink()
    assert wait_for(lambda: ended(entry)).attempt == 2  # the machine's fault


def test_the_process_that_is_killed_is_the_machines_fault(processes: Processes, join: Join) -> None:
    worker = processes.worker()
    entry, gate = join("victim"), hold("victim")
    stay(entry)
    wait_for(lambda: entered("victim"))
    _, task = horses_of(worker)
    task.kill()
    wait_for(lambda: entered("victim", 2))
    gate.unlink()
    assert wait_for(lambda: ended(entry)).status == Status.SUCCEEDED
    assert probe.calls() == ["victim", "victim"]


@pytest.mark.parametrize(
    ("name", "file"), [pytest.param("documents", "searchable.pdf", marks=pytest.mark.slow), ("tables", "profile.json")]
)
def test_the_shipped_tasks_are_isolated_and_work(
    processes: Processes, visitor_client: Callable[[], Client], transactional_db: None, name: str, file: str
) -> None:
    assert get_task(name).isolated
    processes.worker(name)
    client = visitor_client()
    page = client.post(f"/join/{name}/", {"sample": "1"})["Location"]
    wait_for(lambda: client.get(page + "status.json").json()["status"] not in {"waiting", "running"}, 150)
    done = Entry.objects.get()
    assert done.status == Status.SUCCEEDED, done.traceback
    assert file in contents(done)
