"""Checkers: a child process looks into each upload. Nothing that it does there costs more than this one check."""

import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.core.checks import run_checks
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile, UploadedFile

from queueing import registry, sandbox
from queueing.checking import messages, pool
from queueing.checking.checker import Checker
from queueing.checking.pool import NOT_CHECKED, OVER_BUDGET, WANTED, Checkers, checkers
from queueing.checks import relations as checks
from queueing.exceptions import Busy, CheckBroken
from queueing.forms import EntryForm
from tests.support.deeds import DeedForm, deed, done
from tests.support.waiting import wait_for

on_linux = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="only Linux takes rights from a process in this way"
)


def pids() -> set[int]:
    """The processes of all checkers of this process."""
    return {child.pid for child in psutil.Process().children() if is_checker(child)}


def is_checker(process: psutil.Process) -> bool:
    try:
        return "queueing.checking.child" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def pid_of_checker() -> int:
    """The checker that is asked next. A slow machine may need longer for its answer than an impatient site waits."""
    [told] = wait_for(lambda: [said for said in done("pid") if said != OVER_BUDGET])
    return int(told.removeprefix("pid: "))


@pytest.fixture
def impatient(settings: Any) -> None:
    settings.QUEUEING = {"CHECK_SECONDS": 1, "CHECK_MEMORY": 64 * 1024**2}


def test_a_file_is_taken_or_refused_with_the_sentence_of_the_form() -> None:
    assert done("fine") == []
    assert done("thread") == ["thread: a thread"]


def test_the_file_of_a_large_upload_is_passed_on_as_it_is() -> None:
    with TemporaryUploadedFile("deed.txt", "text/plain", 0, None) as upload:
        upload.write(b"change")
        upload.size = 6
        assert done("", upload) == ["change: OSError"]
        assert upload.read() == b"change"


def test_a_checker_cannot_change_an_upload_in_memory() -> None:
    upload = deed("change")
    assert done("", upload) == ["change: OSError"]
    upload.seek(0)
    assert upload.read() == b"change"


@pytest.mark.parametrize("line", ["sleep: 60", "spin", "match"])
def test_a_check_that_takes_too_long_refuses_the_file_and_ends(line: str, impatient: None) -> None:
    checker = pid_of_checker()
    assert done(line) == [OVER_BUDGET]
    assert not psutil.pid_exists(checker)
    wait_for(lambda: done("fine") == [])


@pytest.mark.parametrize("line", ["segfault", "abort", "exit", "eat", "eat natively"])
def test_a_check_that_dies_refuses_the_file_and_costs_no_other(line: str, settings: Any) -> None:
    settings.QUEUEING = {"CHECK_MEMORY": 64 * 1024**2, "CHECK_SECONDS": 30}
    with ThreadPoolExecutor(2) as threads:
        other = threads.submit(done, "sleep: 1")
        assert done(line) == [OVER_BUDGET]
        assert other.result() == ["sleep: None"]
    assert done("fine") == []


def test_an_error_in_a_check_is_told_to_staff_and_not_to_the_visitor(caplog: pytest.LogCaptureFixture) -> None:
    assert done("raise") == [NOT_CHECKED]
    assert "secret detail" in caplog.text
    assert "_raise" in caplog.text


@on_linux
@pytest.mark.parametrize("line", ["fork", "run", "kill parent", "limit parent"])
def test_a_checker_starts_no_process_and_touches_no_other(line: str) -> None:
    assert done(line) == [f"{line}: PermissionError"]


@on_linux
def test_a_checker_writes_no_file(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("kept")
    for line in (f"write: {tmp_path / 'new'}", f"write: {mine}", f"remove: {mine}", "write: /dev/shm/checker"):
        assert done(line)[0].endswith(("PermissionError", "OSError")), line
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert mine.read_text() == "kept"


@on_linux
def test_a_checker_reads_nothing_but_code(tmp_path: Path) -> None:
    """No upload of others, no database, no settings, and not the environment of the web process."""
    (tmp_path / "mine").write_text("secret")
    for path in (tmp_path / "mine", "/etc/passwd", f"/proc/{os.getpid()}/environ", "/proc/self/environ"):
        assert done(f"read: {path}")[0].endswith("PermissionError"), path
    assert done(f"read: {checks.__file__}")[0].startswith('read: """Checks of the')


@on_linux
def test_a_checker_opens_no_socket(valkey: Any) -> None:
    port = valkey.connection_pool.connection_kwargs["port"]
    assert done(f"tcp: {port}") == ["tcp: PermissionError"]
    assert done("unix: /tmp/x") == ["unix: PermissionError"]


def test_a_checker_knows_no_secret_of_the_site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "a-key-of-this-site")
    monkeypatch.setenv("METRICS_TOKEN", "a-token-of-this-site")
    settings.SECRET_KEY = "a-key-of-this-site"
    settings.QUEUEING = {"CHECK_SECONDS": 11}  # other settings: a new checker
    pid = pid_of_checker()
    environment = psutil.Process(pid).environ()
    assert environment.keys() <= {"PYTHONPATH", "LD_LIBRARY_PATH", "PYTHONHOME", "LC_CTYPE"}
    [known] = done("peers")
    for secret in ("of-this-site", os.environ["DATABASE_URL"], os.environ["REDIS_URL"]):
        assert secret not in known
        assert secret not in str(environment)
    assert done("key") == [NOT_CHECKED]
    assert done("query") == [NOT_CHECKED]


def test_a_checker_imports_what_the_form_needs() -> None:
    loaded = set(done("modules")[0].split())
    assert "queueing.forms" in loaded
    assert not loaded & {"redis", "rq", "channels", "daphne", "twisted", "polars", "numpy", "psycopg", "sqlite3"}
    assert not loaded & {"queueing.models", "queueing.line", "queueing.web", "config.settings"}


@on_linux
def test_limits_are_set() -> None:
    pid = pid_of_checker()
    told = {line[:25].strip(): line[26:].split() for line in Path(f"/proc/{pid}/limits").read_text().splitlines()}
    assert told["Max file size"][:2] == ["0", "0"]
    assert told["Max core file size"][0] in {"0", "1"}
    assert int(told["Max open files"][0]) <= 32
    assert int(told["Max address space"][0]) < 2 * 1024**3
    assert told["Max cpu time"][0] != "unlimited"
    status = Path(f"/proc/{pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status


@on_linux
def test_this_kernel_takes_all_rights_and_another_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    mine = Checkers()
    try:
        mine.check(DeedForm, deed("fine"))
        [checker] = mine._idle
        assert checker.taken == WANTED
        assert not caplog.records
        checker.taken = WANTED - {sandbox.FILES}
        mine._has_told = False
        mine.check(DeedForm, deed("fine"))
        mine.check(DeedForm, deed("fine"))
        assert [record.getMessage() for record in caplog.records] == [
            "Checkers keep some rights, because this kernel cannot take them: files"
        ]
    finally:
        mine.end()


def test_a_preview_is_bounded_and_ends_as_a_check_does(settings: Any) -> None:
    shown = checkers.preview(DeedForm, deed("show: 50000"), "", {"a": [1, None]})
    assert shown == {"shown": "x" * 50_000, "options": {"a": [1, None]}}
    assert checkers.preview(DeedForm, deed("fine"), "", {}) is None
    for line, sentence in (("show: 70000", NOT_CHECKED), ("sleep: 60", OVER_BUDGET), ("run", "run: PermissionError")):
        settings.QUEUEING = {"CHECK_SECONDS": 1} if sentence == OVER_BUDGET else {}
        with pytest.raises(ValidationError) as refused:
            checkers.preview(DeedForm, deed(line), "", {})
        assert refused.value.messages == [sentence]
    assert done("fine") == []


# The pool


def test_a_crowd_has_a_bounded_number_of_checkers(settings: Any) -> None:
    settings.QUEUEING = {"CHECKERS": 2, "CHECK_SECONDS": 60}
    assert done("fine") == []
    most = 0
    with ThreadPoolExecutor(20) as threads:
        answers = [threads.submit(done, "sleep: 0.05") for _ in range(40)]
        while not all(answer.done() for answer in answers):
            most = max(most, len(pids()))
        assert {tuple(answer.result()) for answer in answers} == {("sleep: None",)}
    assert most == 2


def test_a_check_that_gets_no_checker_in_time_is_refused_as_busy(settings: Any) -> None:
    settings.QUEUEING = {"CHECKERS": 1, "CHECK_SECONDS": 1}
    with checkers._places.taken(""), pytest.raises(Busy):
        done("fine")
    wait_for(lambda: done("fine") == [])


def test_a_checker_is_replaced_after_a_while_before_the_next_visitor_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    first = pid_of_checker()
    assert pid_of_checker() == first
    monkeypatch.setattr(pool, "MAX_CHECKS", 1)
    assert pid_of_checker() == first
    wait_for(lambda: checkers.pids() and first not in checkers.pids())
    assert not psutil.pid_exists(first)
    [following] = checkers._idle
    following.born -= 60  # started in advance, and asked a minute later
    assert pid_of_checker() == following.pid


def test_an_idle_checker_that_got_old_is_not_asked() -> None:
    first = pid_of_checker()
    [idle] = [checker for checker in checkers._idle if checker.pid == first]
    idle.born -= pool.MAX_AGE + 1
    assert pid_of_checker() != first
    assert not psutil.pid_exists(first)


def test_no_more_checkers_are_kept_than_there_are_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy one comes back while another one is started in advance."""
    mine = Checkers()
    try:
        mine.check(DeedForm, deed("fine"))
        [busy] = mine._idle
        mine._idle.clear()

        def start(values: Any) -> Checker:
            mine._idle.extend([busy] * 2)
            return Checker(values)

        monkeypatch.setattr(pool, "Checker", start)
        mine._start_next(busy.start)
        assert mine._idle == [busy] * 2
    finally:
        mine.end()


def test_an_error_in_a_check_is_one_line_of_the_log_and_a_flood_of_them_is_few(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_lines", pool._Lines())
    for _ in range(pool.LINES + 5):
        with pytest.raises(ValidationError):
            pool._judge({"error": "x\nWARNING a line that nobody wrote" * 1000}, "a form")
        with pytest.raises(ValidationError):
            pool._judge({"died": "y\nforged"}, "a form")
    assert len(caplog.records) == pool.LINES
    assert not any("\n" in record.getMessage() for record in caplog.records)
    assert max(len(record.getMessage()) for record in caplog.records) < 5000


def test_an_answer_of_brackets_refuses_the_file() -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b"[" * 60_000 + b"\n")
        with pytest.raises(ValueError, match=r"^$"):
            messages.receive(here, time.monotonic() + 5)


def test_a_checker_that_was_killed_between_two_checks_costs_nobody_anything() -> None:
    pid = pid_of_checker()
    for idle in checkers.pids():
        os.kill(idle, signal.SIGKILL)
    wait_for(lambda: psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    assert done("fine") == []
    assert not psutil.pid_exists(pid)


def test_other_limits_reach_the_checkers(settings: Any) -> None:
    """The forms' own settings: those of this moment, not those of the start."""
    settings.QUEUEING = {"TABLE_MAX_COLUMNS": 7}
    assert "'TABLE_MAX_COLUMNS': 7" in done("peers")[0]
    settings.QUEUEING = {"TABLE_MAX_COLUMNS": 8}
    assert "'TABLE_MAX_COLUMNS': 8" in done("peers")[0]


def test_a_checker_outlives_the_thread_that_asked_for_it(settings: Any) -> None:
    settings.QUEUEING = {"CHECK_SECONDS": 12}  # other settings: a new checker
    threads = [threading.Thread(target=done, args=["fine"]) for _ in range(2)]
    for thread in threads:
        thread.start()
        thread.join()
    before = checkers.pids()
    time.sleep(0.1)  # the kernel would end it with that thread
    assert pid_of_checker() in before


def test_a_forked_process_has_checkers_of_its_own() -> None:
    assert done("fine") == []
    reading, writing = os.pipe()
    if not (child := os.fork()):
        told = b"no"
        try:
            mine = pool.checkers._idle
            told = b"none" if not mine else b"some"
        finally:
            os.write(writing, told)
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"none"
    assert done("fine") == []


def test_the_end_of_the_pool_ends_its_processes() -> None:
    mine = Checkers()
    mine.check(DeedForm, deed("fine"))
    ended = mine.pids()
    mine.end()
    assert ended
    assert not any(map(psutil.pid_exists, ended))


# Forms that no checker can import


def test_a_form_that_cannot_be_imported_is_an_error_and_not_the_visitors_fault() -> None:
    class Hidden(EntryForm):
        def check_file(self, upload: "UploadedFile[Any]") -> None:
            raise ValidationError("never")

    with pytest.raises(CheckBroken, match="Hidden"):
        Hidden({}, {"file": SimpleUploadedFile("a", b"a")}).is_valid()  # type: ignore[arg-type]
    assert done("fine") == []


def test_a_form_without_a_check_needs_no_checker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkers, "check", None)
    assert EntryForm({}, {"file": SimpleUploadedFile("a", b"a")}).is_valid()  # type: ignore[arg-type]


def test_such_a_form_is_found_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hidden(EntryForm):
        pass

    assert run_checks(tags=["queueing"]) == []
    monkeypatch.setattr(checks, "sound_tasks", lambda: {"x": _with_form(Hidden)})
    [message] = checks.check_forms()
    assert message.id == "queueing.E041"
    assert "Hidden" in message.msg
    assert message.hint


def _with_form(form: type[EntryForm]) -> Any:
    return replace(registry.get_task("probe"), form=form)
