"""A test run that was killed leaves nothing: its Valkey ends with it, and the next run deletes its folder."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.paths import ROOT
from tests.support.waiting import wait_for

RUN = """
import sys
sys.argv = ["pytest"]
from tests.support import servers
print(servers.FOLDER, *[process.pid for process in servers._processes], flush=True)
sys.stdin.read()
"""


class Run:
    """A process that has what a test run has before its first test."""

    def __init__(self, folder: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "TEST_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN],
            cwd=ROOT,
            env=kept | {"TMPDIR": str(folder), "DATABASE_URL": "", "REDIS_URL": ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        found, pid = self.process.stdout.readline().split()
        self.folder, self.valkey = Path(found), psutil.Process(int(pid))

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[list[Run]]:
    made = [Run(tmp_path)]
    yield made
    for run in made:
        run.kill()


def test_a_killed_run_leaves_no_server_and_the_next_one_deletes_its_folder(runs: list[Run], tmp_path: Path) -> None:
    (first,) = runs
    runs.append(Run(tmp_path))
    assert first.folder.is_dir()  # of a run that goes on
    first.kill()
    wait_for(lambda: not first.valkey.is_running())
    assert first.folder.is_dir()
    runs.append(Run(tmp_path))
    assert not first.folder.exists()
    assert [run.folder.is_dir() and run.valkey.is_running() for run in runs[1:]] == [True, True]
