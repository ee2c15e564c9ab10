"""Gradio's queue as a side that a crowd is played on: an environment of its own, and its one process."""

import os
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path

from tests.benchmarks.erlang import Person
from tests.benchmarks.gradio_visits import visit
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.rest import read_runs
from tests.support.servers import free_port
from tests.support.waiting import wait_for
from tests.support.web import is_listening

VERSION = "6.31.0"
ENVIRONMENT = Path(sys.prefix) / "gradio"  # of Python; 270 MB
PYTHON = str(ENVIRONMENT / "bin" / "python")
PROGRAM = Path(__file__).with_name("gradio_app.py")
START = 120.0  # seconds; its imports take 5 on an idle machine


def install() -> bool:
    """Make the environment, unless it is there. False if Gradio cannot be had."""
    stamp = ENVIRONMENT / f"installed-{VERSION}"
    if stamp.exists():
        return True
    sys.stdout.write(f"Installing Gradio {VERSION} into {ENVIRONMENT}; this happens once.\n")
    sys.stdout.flush()
    subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
    quietly = ["--quiet", "--disable-pip-version-check", "--retries", "1"]
    pip = [PYTHON, "-m", "pip", "install", *quietly, f"gradio=={VERSION}"]
    if subprocess.run(pip, check=False, stderr=subprocess.DEVNULL).returncode:
        return False
    stamp.touch()
    return True


class Gradio:
    """Its one process. It knows its visitors by their streams."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        # Isolated: the program's folder has a module that is called gradio, too.
        command = [PYTHON, "-I", str(PROGRAM), str(self.port)]
        # It tells its maker of each start, unless it is told not to.
        environment = os.environ | {"GRADIO_ANALYTICS_ENABLED": "False", "NO_PROXY": "127.0.0.1"}
        with (folder / "gradio.log").open("wb") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)

    def wait(self) -> "Gradio":
        wait_for(lambda: self.process.poll() is not None or is_listening(self.port), START)
        assert self.process.poll() is None, (self.folder / "gradio.log").read_text()
        return self

    def play(self, crowd: list[Person], silent: Collection[int] = ()) -> Outcome:
        log = self.folder / f"gradio-{time.time()}"
        visits = visit(crowd, self.port, log, silent)
        runs = read_runs(log)
        started = {run.number: run.began for run in runs}
        return Outcome(crowd, [one.arrived for one in visits], [one.left for one in visits], started, runs)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(10)
