"""Fixtures: a clean Valkey, short clocks, entries, and real processes on the tests' own database."""

import os
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client, TransactionTestCase
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pytest_django import DjangoDbBlocker

from queueing import joining, registry, site_time
from queueing.conf import conf
from queueing.line import clients, keys
from queueing.line.places import Line, get_line
from queueing.line.queue import LineQueue, get_queue
from queueing.models import Entry
from queueing.testing import beginning
from tests.support import object_store, probe
from tests.support.clocks import QUICK
from tests.support.epochs import open_lines
from tests.support.flushing import FirstRows
from tests.support.paths import ROOT
from tests.support.processes import Processes

TESTS = ROOT / "tests"
BROWSER, PROCESSES = TESTS / "browser", TESTS / "processes"
LONGEST = PROCESSES / "test_short_soak.py"  # it waits most of its time, so it should not be what is left at the end

# The suite draws the same examples each time, as random ones might fail for somebody whose change is not to blame. It
# has no bound on the time of an example or of a draw: on a busy machine one may stand still for a second.
hypothesis_settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis_settings.load_profile("suite")
# To look further than the suite does, by hand; see tests/unit/line/test_line_model.py.
hypothesis_settings.register_profile(
    "explore",
    max_examples=1000,
    stateful_step_count=40,
    deadline=None,
    derandomize=False,
    suppress_health_check=list(HealthCheck),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what a faster run leaves out, and put the longest test first and the browser tests last.

    Playwright keeps an event loop running, beside which no asyncio test can start.
    """
    for item in items:
        if item.path.is_relative_to(BROWSER):
            item.add_marker("browser")
        if item.path.is_relative_to(PROCESSES) or "processes" in getattr(item, "fixturenames", ()):
            item.add_marker("processes")
    items.sort(key=lambda item: (item.path.is_relative_to(BROWSER), item.path != LONGEST))


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """A database on disk, so that worker processes see what the tests see."""
    if connection.vendor == "sqlite":
        name = Path(os.environ["DATABASE_URL"].removeprefix("sqlite:///")).with_name("test.sqlite3")
        django_settings.DATABASES["default"]["TEST"]["NAME"] = str(name)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """The database of all tests, and its way back to its first rows after a test that commits."""
    with django_db_blocker.unblock():
        first_rows = FirstRows()
    TransactionTestCase._fixture_teardown = lambda _: first_rows.bring_back()  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def further_lines(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test beside this file is one of a developer's own (docs/testing.md): it has all lines of config/settings.py."""
    if request.path.parent != TESTS:
        yield
        return
    settings = request.getfixturevalue("settings")
    settings.QUEUEING_TASKS = settings.QUEUEING_TASKS | settings.FURTHER_TASKS
    settings.RQ_QUEUES = dict.fromkeys(settings.FURTHER_TASKS, settings.RQ_QUEUES["documents"]) | settings.RQ_QUEUES
    registry.all_tasks.cache_clear()
    yield
    registry.all_tasks.cache_clear()


@pytest.fixture(autouse=True)
def valkey(further_lines: None) -> redis.Redis:
    """The real Valkey of this test run, empty. Nobody watches, as no web process is there."""
    site_time.follow(None)  # a worker or a keeper was in this process
    client = clients.connection()
    client.flushall()  # a site of the whole module was there first
    beginning.begin()
    client.delete(keys.WATCH)
    open_lines(client)
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
def still_clock(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """The time of the site, which stands still in this process: no minute turns, and no age grows, within the test."""
    now = site_time.now()
    monkeypatch.setattr(site_time, "now", lambda: now)
    return now


@pytest.fixture
def join(db: None, django_capture_on_commit_callbacks: Any) -> Callable[..., Entry]:
    """Make an entry as the page does; without a request. Its place follows, as after a commit."""

    def make(
        label: str = "x",
        *,
        visitor: uuid.UUID | None = None,
        address: str = "",
        looked: bool = True,
        **options: Any,
    ) -> Entry:
        with django_capture_on_commit_callbacks(execute=True):
            entry = joining.join(
                registry.get_task("probe"),
                code=uuid.uuid4(),
                owner=joining.Owner(visitor or uuid.uuid4(), address=address),
                upload=ContentFile(b"input of " + label.encode(), name=f"{label}.csv"),
                content_type="text/csv",
                options={"label": label} | options,
            )
        if looked:
            joining.look(entry, conf.PRESENCE_TTL)
        return entry

    return make


@pytest.fixture
def processes(transactional_db: None, tmp_path: Path, quick: dict[str, float]) -> Iterator[Processes]:
    started = Processes(tmp_path)
    started.use(quick)
    yield started
    started.stop()
    print(started.logs())  # noqa: T201  # pytest shows it when the test fails


@pytest.fixture(scope="session")
def s3_server() -> Iterator[object_store.ObjectStore]:
    """One S3 server for all tests that ask for `s3`."""
    with object_store.started() as store:
        yield store


@pytest.fixture
def s3(s3_server: object_store.ObjectStore, settings: Any) -> Iterator[object_store.ObjectStore]:
    """Inputs and results of this process lie in a bucket, which is empty."""
    s3_server.empty()
    object_store.use(settings, s3_server.url())
    yield s3_server
    s3_server.go_on()


@pytest.fixture
def visitor_client(db: None) -> Callable[[], Client]:
    """Browsers without JavaScript, each with a session of its own."""
    return lambda: Client(enforce_csrf_checks=False)
