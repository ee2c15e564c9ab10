"""Fixtures: a clean Valkey, short clocks, entries, and real processes on the tests' own database."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from queueing import joining, registry
from queueing.line import clients, keys, presence
from queueing.line.places import Line, get_line
from queueing.line.queue import LineQueue, get_queue
from queueing.models import Entry
from queueing.states import Absence
from tests import probe

ROOT = Path(__file__).resolve().parent.parent
BROWSER = ROOT / "tests" / "browser"

# Clocks for tests with real processes: everything as in DESIGN, but quicker.
QUICK = {
    "HEARTBEAT_INTERVAL": 0.5,
    "PRESENCE_TTL": 1.5,
    "POLL_TTL": 11,
    "CLOSE_GRACE": 2,
    "LOST_GRACE": 4,
    "KEEPER_INTERVAL": 0.2,
    "LEASE": 3,
}

# To look further than the suite does, by hand; see tests/test_line_model.py.
hypothesis_settings.register_profile(
    "explore",
    max_examples=1000,
    stateful_step_count=40,
    deadline=None,
    derandomize=False,
    suppress_health_check=list(HealthCheck),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what a faster run leaves out, and put the browser tests last.

    Playwright keeps an event loop running, beside which no asyncio test can start.
    """
    for item in items:
        if item.path.is_relative_to(BROWSER):
            item.add_marker("browser")
        if "processes" in getattr(item, "fixturenames", ()):
            item.add_marker("processes")
    items.sort(key=lambda item: item.path.is_relative_to(BROWSER))


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """A database on disk, so that worker processes see what the tests see."""
    if connection.vendor == "sqlite":
        name = Path(os.environ["DATABASE_URL"].removeprefix("sqlite:///")).with_name("test.sqlite3")
        django_settings.DATABASES["default"]["TEST"]["NAME"] = str(name)


@pytest.fixture(autouse=True)
def valkey() -> redis.Redis:
    """The real Valkey of this test run, empty."""
    client = clients.connection()
    client.flushall()
    probe.log_path().unlink(missing_ok=True)
    for hold in probe.log_path().parent.glob("*.hold"):
        hold.unlink()
    return client


@pytest.fixture
def line(valkey: redis.Redis) -> Line:
    return get_line("probe")


@pytest.fixture
def queue(valkey: redis.Redis) -> LineQueue:
    """The RQ queue of the same line."""
    return get_queue("probe")


@pytest.fixture
def quick(settings: Any) -> dict[str, float]:
    """Short clocks, here and in every process that a test starts."""
    settings.QUEUEING = QUICK
    return QUICK


@pytest.fixture
def join(db: None, django_capture_on_commit_callbacks: Any) -> Callable[..., Entry]:
    """Make an entry as the page does; without a request. Its place follows, as after a commit."""

    def make(label: str = "x", *, visitor: uuid.UUID | None = None, **options: Any) -> Entry:
        with django_capture_on_commit_callbacks(execute=True):
            return joining.join(
                registry.get_task("probe"),
                code=uuid.uuid4(),
                visitor=visitor or uuid.uuid4(),
                upload=ContentFile(b"input of " + label.encode(), name=f"{label}.csv"),
                content_type="text/csv",
                options={"label": label} | options,
            )

    return make


def go(entry: Entry, absence: Absence = Absence.LOST) -> None:
    """The visitor's key is gone: as after a silent death of the connection, or a goodbye."""
    if absence == Absence.CLOSED:
        presence.close(entry.queue, entry.job_id, absence)
    else:
        clients.connection().delete(keys.PRESENCE.format(job_id=entry.job_id))


def watch_since(seconds: float) -> None:
    """Web processes have been beating for that long."""
    now, _ = clients.connection().time()
    clients.connection().set(keys.WATCH, round((now - seconds) * 1000), px=60_000)


def wait_for(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait until something is true; fails after `seconds` with what it was."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {value!r} after {seconds} s")
        time.sleep(0.05)
    return value


class Processes:
    """Real processes of the project, on the tests' database and Valkey."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[bytes]] = []
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": _current_database_url(),
            "PYTHONUNBUFFERED": "1",
        }

    def use(self, values: dict[str, Any]) -> None:
        """QUEUEING settings of the processes started from now on."""
        self.environment |= {f"QUEUEING_{name}": str(value) for name, value in values.items()}

    def start(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{len(self.running)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=self.environment | environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running.append(process)
        return process

    def manage(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        return self.start("manage.py", *arguments, **environment)

    def worker(self, *queues: str, **environment: str) -> subprocess.Popen[bytes]:
        """A worker that is ready to claim."""
        before = set(clients.connection().smembers("rq:workers"))
        process = self.manage("rqworker", *(queues or ("probe",)), **environment)
        born = wait_for(lambda: set(clients.connection().smembers("rq:workers")) - before).pop()
        wait_for(lambda: clients.connection().hget(born, "state") in {b"idle", b"busy"})
        return process

    def keeper(self) -> subprocess.Popen[bytes]:
        process = self.manage("keeper")
        wait_for(lambda: clients.connection().exists(keys.KEEPER))
        return process

    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()}" for path in sorted(self.folder.glob("*.log")))

    def stop(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # the workers of a pool


@pytest.fixture
def processes(transactional_db: None, tmp_path: Path, quick: dict[str, float]) -> Iterator[Processes]:
    started = Processes(tmp_path)
    started.use(quick)
    yield started
    started.stop()
    print(started.logs())  # noqa: T201  # pytest shows it when the test fails


def _current_database_url() -> str:
    if connection.vendor == "sqlite":
        return f"sqlite:///{connection.settings_dict['NAME']}"
    given, _, _ = os.environ["DATABASE_URL"].partition("?")
    _, mark, query = os.environ["DATABASE_URL"].partition("?")
    return f"{given.rpartition('/')[0]}/{connection.settings_dict['NAME']}{mark}{query}"


@pytest.fixture
def visitor_client(db: None) -> Callable[[], Client]:
    """Browsers without JavaScript, each with a session of its own."""
    return lambda: Client(enforce_csrf_checks=False)
