"""Processes that could not do their work: each ends at its start, with one sentence and exit status 1."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from tests.support.paths import ROOT
from tests.support.processes import Processes
from tests.support.servers import free_port
from tests.support.waiting import wait_for
from tests.support.web import Web, is_listening

WEB = ("-m", "config.serve")
UVICORN, DAPHNE = (
    ("-m", *words, "config.asgi:application") for words in (("uvicorn", "--port", "0"), ("daphne", "-p", "0"))
)
WORKER, POOL, KEEPER = (
    ("manage.py", *words) for words in (("rqworker",), ("rqworker-pool", "--num-workers", "1"), ("keeper",))
)
# Django keeps its checks in a set, so any of them may come first: here the one that imports the ASGI application.
APPLICATION_FIRST = """
import django
django.setup()
from queueing.checks.deployed import check_asgi
from queueing.checks.tables import check_tables
check_asgi()
raise SystemExit("\\n".join(map(str, check_tables())))
"""
KEY = "0123456789abcdefghijklmnopqrstuvwxyz"
NAMED = "import os, django\nos.environ['DATABASE_URL'] = 'sqlite:///named.sqlite3'\n"
EACH = pytest.mark.parametrize(
    "command",
    [
        pytest.param(WEB, id="web"),
        pytest.param(UVICORN, id="uvicorn"),
        pytest.param(DAPHNE, id="daphne", marks=pytest.mark.slow),
        pytest.param(WORKER, id="worker", marks=pytest.mark.slow),
        pytest.param(POOL, id="pool", marks=pytest.mark.slow),
        pytest.param(KEEPER, id="keeper", marks=pytest.mark.slow),
    ],
)


@pytest.fixture
def ended(processes: Processes) -> "Ended":
    return Ended(processes)


class Ended:
    """The end of a process that must not go on."""

    def __init__(self, processes: Processes) -> None:
        self.environment = processes.environment

    def __call__(self, command: tuple[str, ...], **environment: str) -> str:
        """The sentence of a process that ended with 1, without a traceback."""
        done = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=self.environment | {"PORT": str(free_port())} | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr.strip()


def test_a_web_process_says_where_it_listens(processes: Processes) -> None:
    web = Web(processes).wait()
    wait_for(lambda: f"web: listens on http://127.0.0.1:{web.port}/" in processes.logs())


@EACH
def test_settings_that_do_not_fit_end_each_process(ended: Ended, command: tuple[str, ...]) -> None:
    said = ended(command, QUEUEING_LOST_GRACE="1")
    assert "LOST_GRACE is shorter than CLOSE_GRACE." in said
    assert len(said.splitlines()) == 1


@pytest.mark.slow
@EACH
def test_an_unknown_setting_ends_each_process(ended: Ended, command: tuple[str, ...]) -> None:
    said = ended(command, QUEUEING_LOST_GRAC="200")
    assert said.endswith("Unknown QUEUEING settings: LOST_GRAC. Did you mean LOST_GRACE? (queueing.E000)")
    assert len(said.splitlines()) == 1


@pytest.mark.slow
@EACH
def test_missing_tables_end_each_process(ended: Ended, command: tuple[str, ...], tmp_path: Path) -> None:
    said = ended(command, DATABASE_URL=f"sqlite:///{tmp_path}/empty.sqlite3")
    assert "The database lacks" in said
    assert "Run: python manage.py migrate" in said
    assert len(said.splitlines()) == 1


@EACH
def test_a_folder_without_the_right_to_write_ends_each_process(ended: Ended, command: tuple[str, ...]) -> None:
    said = ended(command, MEDIA_ROOT="/dev/null/media")
    assert "/dev/null/media cannot be written to, and inputs and results lie there." in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("command", [WEB, KEEPER, ("manage.py", "check", "--deploy"), ("manage.py", "migrate")])
def test_a_folder_in_which_sqlite_has_no_place_ends_each_process(ended: Ended, command: tuple[str, ...]) -> None:
    said = ended(command, DATABASE_URL="sqlite:////dev/null/var/db.sqlite3")
    assert "/dev/null/var cannot be written to, and SQLite's file and its log lie there." in said
    assert "Name the database of the site in DATABASE_URL." in said
    assert "outside of the code, as in DATABASE_URL=sqlite:////var/lib/queue/db.sqlite3" in said
    assert len(said.splitlines()) == 1


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("//[^:@/]+", "//nobody", 'role "nobody" does not exist'),
        ("/[^/?]+([?]|$)", r"/nope\1", '"nope" does not exist'),
    ],
)
@pytest.mark.parametrize("command", [KEEPER, ("manage.py", "check", "--deploy"), ("-c", APPLICATION_FIRST)])
def test_a_database_that_refuses_the_site_is_an_error(
    ended: Ended, command: tuple[str, ...], old: str, new: str, why: str
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite refuses nobody")
    said = ended(command, DATABASE_URL=re.sub(old, new, ended.environment["DATABASE_URL"], count=1))
    assert why in said
    assert "(queueing.E119)" in said


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A copy of the settings, which have their own folder of files beside them."""
    folder = tmp_path / "code"
    (folder / "config").mkdir(parents=True)
    for file in ROOT.glob("config/*.py"):
        (folder / "config" / file.name).write_bytes(file.read_bytes())
    return folder


def production(code: Path, program: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """This program in production, where nobody has set DATABASE_URL."""
    told = {"DEBUG": "0", "DATABASE_URL": "", "SECRET_KEY": KEY, "DJANGO_SETTINGS_MODULE": "config.settings"}
    return subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=code,
        env=environment | told | {"PYTHONPATH": f"{code}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_forgotten_address_of_the_database_is_told(processes: Processes, code: Path) -> None:
    """In a copy of the code that belongs to somebody else."""
    (code / "var").write_text("no folder")
    done = production(code, "import config.settings", processes.environment)
    assert f"DATABASE_URL is not set, and {code}/var, where SQLite's file would be, takes no file." in done.stderr


def test_missing_tables_of_a_database_that_nobody_named_are_told_so(processes: Processes, code: Path) -> None:
    done = production(code, APPLICATION_FIRST, processes.environment)
    assert f"DATABASE_URL is not set, so this is SQLite: {code}/var/db.sqlite3." in done.stderr
    assert "Set it. Or run: python manage.py migrate" in done.stderr
    told = production(code, APPLICATION_FIRST.replace("import django\n", NAMED), processes.environment)
    assert "The database lacks" in told.stderr
    assert "DATABASE_URL" not in told.stderr


@pytest.mark.parametrize(
    "command", [("manage.py", "migrate"), ("manage.py", "check", "--deploy", "--fail-level", "INFO")]
)
def test_a_database_that_is_not_there_is_told_where_its_address_is(ended: Ended, command: tuple[str, ...]) -> None:
    said = ended(command, DATABASE_URL=f"postgres://127.0.0.1:{free_port()}/x")
    assert "The database does not answer" in said
    assert "Start it, or correct DATABASE_URL." in said


def test_a_worker_that_starts_without_its_database_says_so_in_one_line(processes: Processes) -> None:
    worker = processes.worker(DATABASE_URL=f"postgres://127.0.0.1:{free_port()}/x")
    assert "a cold start, without the database or Redis (" in processes.logs()
    assert "Traceback" not in processes.logs()
    assert worker.poll() is None


def test_static_files_that_are_not_collected_end_the_web_process(ended: Ended, tmp_path: Path) -> None:
    folder = tmp_path / "static"
    production = {"DEBUG": "0", "SECRET_KEY": KEY, "ALLOWED_HOSTS": "queue.example", "STATIC_ROOT": str(folder)}
    said = ended(WEB, **production, DJANGO_SETTINGS_MODULE="config.settings", QUEUEING_MIN_PRESENCE="30")
    cure = "Run: python manage.py collectstatic --noinput (queueing.E100)"
    assert said == f"The static files are not collected in {folder}. {cure}"


@pytest.mark.parametrize("command", [WEB, UVICORN])
def test_a_web_process_needs_a_key_and_a_host(ended: Ended, command: tuple[str, ...], tmp_path: Path) -> None:
    """Both may be wrong in the one file of variables that all processes share."""
    own = {"DEBUG": "0", "WITHOUT_SECRET_KEY": "1", "ALLOWED_HOSTS": "", "STATIC_ROOT": str(tmp_path)}
    said = ended(command, **own, DJANGO_SETTINGS_MODULE="config.settings", QUEUEING_MIN_PRESENCE="30").splitlines()
    assert [line[-15:] for line in said] == ["(queueing.E124)", "(queueing.E118)", "(queueing.E100)"]


@pytest.mark.slow
def test_a_port_that_is_taken_ends_the_web_process(ended: Ended) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        said = ended((*WEB, "--port", port))
    assert f"127.0.0.1:{port}: [Errno 98] Address already in use" in said
    assert len(said.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("command", [(*WORKER, "dokuments"), (*POOL, "dokuments")])
def test_a_line_that_is_not_there_ends_a_worker(ended: Ended, command: tuple[str, ...]) -> None:
    assert "dokuments" in ended(command)


def test_a_uvicorn_whose_arguments_do_not_fit_says_so(processes: Processes) -> None:
    processes.start(*UVICORN, "--log-level", "warning")
    wait_for(lambda: "--no-proxy-headers" in processes.logs())
    wait_for(lambda: "--ws-ping-interval 10" in processes.logs())  # in a line of its own


def test_a_daphne_whose_arguments_do_not_fit_says_so(processes: Processes) -> None:
    processes.start(*DAPHNE)
    wait_for(lambda: "daphne takes over 25 s to notice a dead connection" in processes.logs())
    assert "Start it with --ping-interval 10 --ping-timeout 8." in processes.logs()


def test_a_daphne_whose_arguments_fit_says_nothing(processes: Processes) -> None:
    port = free_port()
    processes.start(*DAPHNE, "-p", str(port), "--ping-interval", "10", "--ping-timeout", "8")
    wait_for(lambda: is_listening(port))
    assert "Start it with" not in processes.logs()


def test_a_uvicorn_whose_arguments_fit_says_nothing(processes: Processes) -> None:
    Web(processes, "uvicorn").wait()
    assert "Start it with" not in processes.logs()
