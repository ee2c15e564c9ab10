"""The end of an attempt and a database that refuses it: what is repeated, for how long, and what becomes of the row."""

import logging
import signal
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.db.models.functions import Now

from queueing import ending
from queueing.line import clients
from queueing.line.jobs import TaskTimeout
from queueing.models import Entry
from queueing.states import Reason, Status
from queueing.work import blame, report, runner
from queueing.work.attempt import Attempt
from tests.support import probe
from tests.support.connections import leave_unread
from tests.support.entries import status_of
from tests.support.files import stored_files
from tests.support.waiting import wait_for

Join = Callable[..., Entry]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

IS_POSTGRES = connection.vendor == "postgresql"
postgres_only = pytest.mark.skipif(not IS_POSTGRES, reason="a fault of PostgreSQL")
sqlite_only = pytest.mark.skipif(IS_POSTGRES, reason="a fault of SQLite")
NOT_YET = "its end is not stored yet"


def results_of(entry: Entry) -> list[str]:
    """The names of the stored files that attempts at this entry have made."""
    return [path.name for path in stored_files() if str(entry.code) in path.parts and path.parent.name.isdigit()]


def execute(commands: list[str]) -> None:
    with connection.cursor() as cursor:
        for command in commands:
            cursor.execute(command)


@contextmanager
def each_connection(options: str) -> Iterator[None]:
    """Open each connection with these options of PostgreSQL, or PRAGMA commands of SQLite, too."""
    name, mark = ("options", " ") if IS_POSTGRES else ("init_command", ";")
    given = connection.settings_dict["OPTIONS"]
    before = given.get(name)
    given[name] = f"{before or ''}{mark}{options}"
    connection.close()
    try:
        yield
    finally:
        given[name] = before
        connection.close()


@pytest.fixture
def refused(request: pytest.FixtureRequest) -> Iterator[None]:
    """The database does what a test names when a row succeeds; other moves pass."""
    begin, end = request.param
    execute(begin)
    yield
    execute(end)


def by_trigger(statement: str) -> tuple[list[str], list[str]]:
    body = f"BEGIN IF NEW.status = 'succeeded' THEN {statement}; END IF; RETURN NEW; END"
    return (
        [
            "CREATE SEQUENCE tries",
            f"CREATE FUNCTION refuse() RETURNS trigger AS $$ {body} $$ LANGUAGE plpgsql",
            "CREATE TRIGGER refuse BEFORE UPDATE ON queueing_entry FOR EACH ROW EXECUTE FUNCTION refuse()",
        ],
        ["DROP TRIGGER refuse ON queueing_entry", "DROP FUNCTION refuse", "DROP SEQUENCE tries"],
    )


def on_postgres(statement: str, name: str) -> Any:
    return pytest.param(by_trigger(statement), id=name, marks=postgres_only)


def error_with(code: str) -> str:
    return f"RAISE EXCEPTION 'refused' USING ERRCODE = '{code}'"


FILES_RENAMED = (
    ["ALTER TABLE queueing_entryfile RENAME TO elsewhere"],
    ["ALTER TABLE elsewhere RENAME TO queueing_entryfile"],
)


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param(FILES_RENAMED, id="no such table"),
        on_postgres("PERFORM 1 / 0", "data"),
        on_postgres("PERFORM no_such_column FROM queueing_entry", "no such column"),
        on_postgres(error_with("42501"), "permission denied"),
        on_postgres(error_with("54001"), "too complex"),
    ],
    indirect=True,
)
def test_a_result_that_is_refused_for_good_is_a_failure_that_staff_can_read(
    refused: None, join: Join, caplog: pytest.LogCaptureFixture
) -> None:
    entry = join()
    runner.run_entry(entry.job_id)
    assert (status_of(entry), entry.reason, entry.attempt) == (Status.FAILED, Reason.ERROR, 1)
    assert entry.message == blame.ERROR_SENTENCE
    assert entry.error_class.startswith("django.db.utils.")
    assert "Traceback" in entry.traceback
    assert (results_of(entry), probe.calls()) == ([], ["x"])
    assert NOT_YET not in caplog.text


@pytest.mark.parametrize(
    "refused",
    [on_postgres("PERFORM pg_sleep(60)", "statement_timeout")],
    indirect=True,
)
def test_a_result_that_is_refused_each_time_is_a_failure_after_a_lease(
    refused: None, join: Join, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.QUEUEING = {"LEASE": 1.5}
    with each_connection("-c statement_timeout=100"):
        entry = join()
        runner.run_entry(entry.job_id)
    assert (status_of(entry), entry.reason, entry.attempt) == (Status.FAILED, Reason.ERROR, 1)
    assert (results_of(entry), probe.calls()) == ([], ["x"])
    assert caplog.text.count(NOT_YET) >= 2


@sqlite_only
def test_an_end_for_which_sqlite_has_no_room_is_a_failure_after_a_lease(
    join: Join, settings: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.QUEUEING = {"LEASE": 1.5}
    entry = join(end="large")

    def raise_large(_: object) -> None:
        raise RuntimeError("x" * 1_000_000)

    monkeypatch.setitem(probe.ENDS, "large", raise_large)
    with connection.cursor() as cursor:
        (pages,) = cursor.execute("PRAGMA page_count").fetchone()
    with each_connection(f"PRAGMA max_page_count = {pages + 40}"):  # there is room for a short traceback
        runner.run_entry(entry.job_id)
    assert (status_of(entry), entry.reason, entry.attempt) == (Status.FAILED, Reason.ERROR, 1)
    assert "database or disk is full" in entry.traceback
    assert caplog.text.count(NOT_YET) >= 2


@sqlite_only
def test_a_database_that_has_become_read_only_ends_the_attempt_after_a_lease_and_loudly(
    join: Join, settings: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be written into the row, so the horse ends; the lease brings the entry back."""
    settings.QUEUEING = {"LEASE": 0.5}
    entry = join(end="read-only")
    fault = each_connection("PRAGMA query_only = 1")
    monkeypatch.setitem(probe.ENDS, "read-only", lambda _: fault.__enter__())
    with pytest.raises(DatabaseError, match=r"read-?only"):
        runner.run_entry(entry.job_id)
    fault.__exit__(None, None, None)
    assert "its end cannot be stored" in caplog.text
    assert (status_of(entry), probe.calls()) == (Status.RUNNING, ["x"])
    Entry.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert ending.settle_orphans() == 1
    assert status_of(entry) == Status.WAITING


@pytest.mark.parametrize(
    "refused",
    [
        on_postgres("IF nextval('tries') < 4 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF", "away"),
        on_postgres(f"IF nextval('tries') < 4 THEN {error_with('53100')}; END IF", "disk full"),
        on_postgres(f"IF nextval('tries') < 4 THEN {error_with('25006')}; END IF", "read-only"),
    ],
    indirect=True,
)
def test_a_result_outlives_a_database_that_is_away_or_full_for_longer_than_a_lease(
    refused: None, join: Join, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.QUEUEING = {"LEASE": 0.2}
    entry = join()
    runner.run_entry(entry.job_id)
    assert (status_of(entry), entry.attempt) == (Status.SUCCEEDED, 1)
    assert results_of(entry) == ["answer.txt"]
    assert caplog.text.count(NOT_YET) == 3


@pytest.fixture
def locked(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """SQLite is locked by somebody else from the end of the task on, until three tries have failed."""
    holder = sqlite3.connect(connection.settings_dict["NAME"], check_same_thread=False, isolation_level=None)

    def let_go() -> None:
        wait_for(lambda: caplog.text.count(NOT_YET) >= 3)
        holder.execute("ROLLBACK")

    thread = threading.Thread(target=let_go)

    def lock() -> None:
        holder.execute("BEGIN IMMEDIATE")
        thread.start()

    monkeypatch.setitem(probe.ENDS, "locked", lambda _: lock())
    with each_connection("PRAGMA busy_timeout = 20"):
        yield
    thread.join()
    holder.close()


@sqlite_only
def test_a_result_outlives_a_lock_that_lasts_for_longer_than_a_lease(locked: None, join: Join, settings: Any) -> None:
    settings.QUEUEING = {"LEASE": 0.2}
    entry = join(end="locked")
    runner.run_entry(entry.job_id)
    assert (status_of(entry), results_of(entry)) == (Status.SUCCEEDED, ["answer.txt"])


class Alarm(logging.Handler):
    """Lets the alarm of the task's timeout ring when the first try has failed: so many seconds later, or at once."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def emit(self, record: logging.LogRecord) -> None:
        if NOT_YET in record.getMessage():
            logging.getLogger("queueing").removeHandler(self)
            signal.setitimer(signal.ITIMER_REAL, self.seconds)
            if self.seconds < 0.001:
                signal.sigtimedwait([], 0.02)  # until it rings, here


@sqlite_only
@pytest.mark.parametrize("seconds", [0.000001, 0.01])
def test_an_alarm_that_rings_late_does_not_cost_the_result(locked: None, join: Join, seconds: float) -> None:
    def ring(*_: object) -> None:
        raise TaskTimeout("too late")

    handler, timer = signal.signal(signal.SIGALRM, ring), signal.getitimer(signal.ITIMER_REAL)
    logging.getLogger("queueing").addHandler(Alarm(seconds))
    try:
        entry = join(end="locked")
        runner.run_entry(entry.job_id)
    finally:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *timer)
    assert (status_of(entry), results_of(entry)) == (Status.SUCCEEDED, ["answer.txt"])


def test_a_sentence_that_no_database_takes_ends_the_row_once(
    join: Join, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A name of a file that is no UTF-8, for example, as Python keeps it."""

    def stumble(_: object) -> None:
        raise ValueError("scan-\udcff.pdf")

    caplog.set_level(logging.CRITICAL, "queueing")  # pytest-xdist cannot pass this name on
    monkeypatch.setitem(probe.ENDS, "stumble", stumble)
    entry = join(end="stumble")
    runner.run_entry(entry.job_id)
    assert (status_of(entry), entry.reason, entry.attempt) == (Status.FAILED, Reason.ERROR, 1)
    assert "Traceback" in entry.traceback


def test_progress_that_the_database_refuses_ends_no_task(join: Join, caplog: pytest.LogCaptureFixture) -> None:
    """A column that is missing is a ProgrammingError of PostgreSQL."""
    entry = join()
    assert entry.start("w1")
    execute(["ALTER TABLE queueing_entry RENAME COLUMN progress TO elsewhere"])
    try:
        Attempt(entry).report(0.5, "half")
    finally:
        execute(["ALTER TABLE queueing_entry RENAME COLUMN elsewhere TO progress"])
    assert "progress is not stored, the task goes on" in caplog.text


@pytest.fixture
def in_a_horse(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process is a horse, and its alarm may be set."""
    ours, channel = socket.socketpair()
    monkeypatch.setattr(report, "_speaker", report.Speaker(report.Report(), channel))
    timer = signal.getitimer(signal.ITIMER_REAL)
    yield
    signal.setitimer(signal.ITIMER_REAL, *timer)
    ours.close()
    channel.close()


@pytest.mark.usefixtures("in_a_horse")
def test_in_a_horse_the_alarm_of_the_timeout_ends_with_the_task(join: Join) -> None:
    signal.setitimer(signal.ITIMER_REAL, 600)
    entry = join()
    runner.run_entry(entry.job_id)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert status_of(entry) == Status.SUCCEEDED


@pytest.mark.usefixtures("in_a_horse")
def test_an_alarm_between_a_command_and_its_answer_mixes_up_no_answers(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)  # it has rung
    monkeypatch.setitem(probe.ENDS, "interrupted", lambda _: leave_unread(clients.connection()))
    entry = join(end="interrupted")
    runner.run_entry(entry.job_id)
    assert status_of(entry) == Status.SUCCEEDED
    assert len(clients.connection().time()) == 2
