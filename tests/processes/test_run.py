"""`make run`, in a copy of the project: every process starts and ends, and an obstacle is named in a sentence."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from config.run import MARK
from tests.support.paths import ROOT
from tests.support.servers import free_port
from tests.support.slow import slow


class Run:
    """One `python -m config.run` in a folder, as `make run` starts it."""

    def __init__(self, folder: Path, port: int, workers: str = "1") -> None:
        self.folder, self.port = folder, port
        unset = {"REDIS_URL", "DATABASE_URL", "MEDIA_ROOT", "DJANGO_SETTINGS_MODULE"}
        environment = {name: value for name, value in os.environ.items() if name not in unset}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "config.run"],
            cwd=folder,
            env=environment | {"DEBUG": "1", "PORT": str(port), "WORKERS": workers},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 120  # an idle machine needs 5
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5).close()
            except OSError:  # also a server that listens, and is too busy to answer
                time.sleep(0.2)
            else:
                return
        self.process.terminate()  # it ends its processes, which have its output open
        pytest.fail(f"not ready: {self.process.communicate(timeout=30)[0]}")

    def send(self, signum: signal.Signals) -> int:
        """Send a signal as the terminal or `make` does, and wait for the end."""
        self.process.send_signal(signum)
        self.process.communicate(timeout=30)
        return self.process.returncode

    def left(self) -> list[psutil.Process]:
        """The processes that run for this folder."""
        folders = {str(self.folder), str(self.folder / "var" / "valkey")}
        running = psutil.process_iter(["environ"])
        return [process for process in running if (process.info["environ"] or {}).get(MARK) in folders]


def command_of(process: psutil.Process) -> str:
    with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
        return " ".join(process.cmdline())
    return ""


def hand_in_sample(port: int, queue: str) -> None:
    """Join a line with its sample, as a browser does."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    page = browser.open(f"http://127.0.0.1:{port}/join/{queue}/", timeout=10).read().decode()
    (token,) = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page))
    form = urllib.parse.urlencode({"csrfmiddlewaretoken": token, "sample": "yes"}).encode()
    browser.open(f"http://127.0.0.1:{port}/join/{queue}/", form, timeout=10).close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("run")
    for name in ("config", "queueing", "templates"):
        shutil.copytree(ROOT / name, copy / name)
    for name in ("manage.py", "Procfile"):
        shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def run(folder: Path, port: int) -> Iterator[Run]:
    run = Run(folder, port)
    yield run
    if run.process.poll() is None:
        run.send(signal.SIGTERM)


def test_make_run_starts_every_process_and_ctrl_c_ends_them_all(run: Run) -> None:
    run.wait_until_ready()
    commands = "\n".join(map(command_of, run.left()))
    for part in ("config.serve", "rqworker-pool", "manage.py keeper", "valkey-server"):
        assert part in commands
    assert run.send(signal.SIGINT) == 0
    assert run.left() == []


@pytest.mark.slow
def test_what_a_run_writes_is_for_its_user_alone(run: Run, folder: Path) -> None:
    """A folder of an older version, open to all users of the machine, is closed; so is each new file in it."""
    var = folder / "var"
    var.mkdir(exist_ok=True)
    var.chmod(0o755)
    run.wait_until_ready()
    hand_in_sample(run.port, "tables")
    paths = [var, *var.rglob("*")]
    assert {"db.sqlite3", "db.sqlite3-wal", "valkey.log", "appendonlydir"} <= {path.name for path in paths}
    assert [path for path in paths if path.name.startswith("input-")]
    assert [path for path in paths if is_open_to_others(path)] == []


def is_open_to_others(path: Path) -> bool:
    with suppress(FileNotFoundError):  # the site goes on, and its files come and go
        return not path.is_symlink() and bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
    return False


@pytest.mark.slow
def test_sigterm_ends_everything_too(run: Run) -> None:
    run.wait_until_ready()
    assert run.send(signal.SIGTERM) == 143
    assert run.left() == []


@pytest.mark.parametrize("delay", [0.3, 1.3, *slow(0.8, 1.8)])
def test_a_signal_during_the_start_leaves_nothing(run: Run, delay: float) -> None:
    time.sleep(delay)
    assert run.send(signal.SIGTERM) != 0
    assert run.left() == []


STOPPED_WHILE_IT_FORKS = """
import os, signal
from config.run import ROOT, Site, environment

site = Site()
for name in ("first", "second"):
    site.add_process(name, "sleep 600", env=environment(ROOT))
os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGTERM))
site.loop()
raise SystemExit(site.returncode)
"""


def test_a_signal_is_heard_where_python_drops_what_its_handler_raises(folder: Path) -> None:
    command = [sys.executable, "-c", STOPPED_WHILE_IT_FORKS]
    assert subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=False).returncode == 143


def test_a_port_in_use_is_one_sentence(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        run = Run(folder, other.getsockname()[1])
        output, _ = run.process.communicate(timeout=20)
    assert run.process.returncode == 1
    assert output.count("\n") == 1
    assert f"Port {run.port} cannot be used" in output
    assert run.left() == []


@pytest.mark.parametrize(
    ("workers", "said"),
    [("0", "WORKERS must be at least 1, not 0.\n"), ("x", "WORKERS must be a whole number, not 'x'.\n")],
)
def test_a_number_of_workers_that_is_none_is_one_sentence_before_anything_starts(
    tmp_path: Path, folder: Path, port: int, workers: str, said: str
) -> None:
    shutil.copytree(folder / "config", tmp_path / "config")
    run = Run(tmp_path, port, workers)
    output, _ = run.process.communicate(timeout=20)
    assert (run.process.returncode, output) == (1, said)
    assert not (tmp_path / "var").exists()


def test_two_runs_in_one_folder_are_refused(run: Run, folder: Path, port: int) -> None:
    run.wait_until_ready()
    second = Run(folder, free_port())
    output, _ = second.process.communicate(timeout=20)
    assert second.process.returncode == 1
    assert output == f"Another `make run` (process {run.process.pid}) is running in this folder; stop it first.\n"
    run.wait_until_ready()  # and the first goes on


@pytest.mark.slow
def test_what_a_killed_run_left_is_no_obstacle(run: Run, folder: Path, port: int) -> None:
    run.wait_until_ready()
    run.process.kill()
    run.process.wait()
    assert run.process.stdout is not None
    run.process.stdout.close()
    left = run.left()
    assert left != []
    second = Run(folder, port)
    psutil.wait_procs(left, timeout=20)
    second.wait_until_ready()
    assert second.send(signal.SIGINT) == 0
    assert second.left() == []
