"""A command that the tests fork finds what it would find as a new interpreter."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import Processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")


def introduction(folder: Path, *, is_forked: bool) -> dict[str, Any]:
    folder.mkdir()
    processes = Processes(folder)
    processes.is_forked = is_forked
    process = processes.start("-m", "tests.support.introduction", "--now", "x", OF_THIS_COMMAND="y")
    assert process.wait(60) == 3, processes.logs()
    assert process.poll() == 3
    told, end = (folder / "0.log").read_text().splitlines()
    assert end == "the end"
    found: dict[str, Any] = json.loads(told)
    return found


def test_a_forked_command_finds_what_a_new_interpreter_finds(tmp_path: Path, db: None) -> None:
    forked = introduction(tmp_path / "forked", is_forked=True)
    assert forked == introduction(tmp_path / "new", is_forked=False)
    assert forked["environment"]["OF_THIS_COMMAND"] == "y"
    assert forked["arguments"][1:] == ["--now", "x"]


def test_a_forked_command_is_waited_for_and_signaled_like_a_child(tmp_path: Path, db: None) -> None:
    processes = Processes(tmp_path)
    process = processes.start("-m", "timeit", "-n", "1", "-r", "1", "import time; time.sleep(60)")
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.kill()
    assert process.wait(10) == -signal.SIGKILL
    processes.stop()
