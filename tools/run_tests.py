"""`make test`, `make test-fast` and `make test-slow`: brings what is missing, runs the tests, says how long it took.

python -m tools.run_tests most|fast|slow [arguments of pytest]
"""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tools import machine

BROWSER = "tests/browser"


@dataclass(frozen=True)
class Selection:
    markers: str  # those of tests/conftest.py
    expected: str  # on two cores
    needs_browsers: bool = True
    at_once: int = 3  # processes of pytest: on two cores one of them waits for something, most of the time
    browsers_at_once: int = 2  # likewise, for tests that drive a browser: that has processes of its own
    on_postgres: bool = False  # too


SELECTIONS = {
    "most": Selection("not slow", "8 to 10 minutes", on_postgres=True),
    "fast": Selection("not browser and not processes and not slow", "1 to 2 minutes", needs_browsers=False),
    "slow": Selection("slow", "25 minutes", at_once=1, browsers_at_once=1),  # they measure, and flood
}


def main(name: str, *arguments: str) -> int:
    selection, started = SELECTIONS[name], time.monotonic()
    missing = machine.install_missing() if selection.needs_browsers else []
    if missing and machine.is_ci():
        print(_loud(machine.skipped(missing).replace("SKIPPED", "FAILED", 1)))
        return 1
    if not arguments:
        print(f"On two cores this takes {selection.expected}.", flush=True)
    code = _run(selection, arguments)
    print(f"That took {_duration(time.monotonic() - started)}.")
    if missing:
        print(_loud(machine.skipped(missing)))
    return code


def _run(selection: Selection, arguments: tuple[str, ...]) -> int:
    if arguments:
        return _pytest("-m", selection.markers, *arguments)
    code = _pytest("-m", selection.markers, *_together(selection.at_once), "--ignore", BROWSER)
    if not code and selection.needs_browsers:
        code = _pytest("-m", selection.markers, *_together(selection.browsers_at_once), BROWSER)
    if code or not selection.on_postgres:
        return code
    print("Once more on PostgreSQL, what speaks to the database:", flush=True)
    markers, files = f"({selection.markers}) and postgres", _files_with("mark.postgres")
    return _pytest("-m", markers, *_together(selection.at_once), *files, TEST_DATABASE="postgres")


def _files_with(text: str) -> list[str]:
    """The test modules with this text. Each process imports all modules that it is given, before its first test."""
    return sorted(str(path) for path in Path("tests").rglob("test_*.py") if text in path.read_text())


def _together(processes: int) -> list[str]:
    """Each process has a Valkey and a database of its own. Whole files, in their order: the browser's come last."""
    if processes == 1:
        return []
    return ["-n", str(processes), "--dist", "loadfile", "--no-loadscope-reorder"]


def _pytest(*arguments: str, **environment: str) -> int:
    command = [sys.executable, "-m", "pytest", *arguments]
    variables = os.environ | environment
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes would compile the project, each for itself
    with subprocess.Popen(command, env=variables) as process:
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # pytest hears the terminal's Ctrl-C too; it stops its servers before it ends
                continue


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds} s"


def _loud(line: str) -> str:
    return f"\033[1;31m{line}\033[0m" if sys.stdout.isatty() else line


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
