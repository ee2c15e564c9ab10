"""Processes and files that several benchmarks use."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support import probe

PATIENCE = 120  # seconds


@contextmanager
def running(*commands: tuple[str, ...]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Python programs that end with the block."""
    started = [
        subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    try:
        yield started
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(PATIENCE)


def wait_for(condition: Callable[[], Any], every: float = 0.002) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "the benchmark waited in vain"
        time.sleep(every)


def clear_stamps() -> Path:
    path = probe.log_path()
    path.write_text("")
    return path


def stamps(kind: str) -> list[float]:
    """The times at which lines of that kind ran, in the order of writing."""
    lines = [line.split() for line in probe.log_path().read_text().splitlines()]
    return [float(at) for name, at in lines if name == kind]
