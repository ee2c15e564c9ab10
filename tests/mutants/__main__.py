"""`make mutants`: break one rule of the project at a time in a copy, and show what finds it.

    python -m tests.mutants [part of a rule ...]

Each mutant is found by its own test; SOAK=1 also runs a short soak for those that name faults. A text that is not in
its file exactly once, and a test that fails before anything is broken, are errors. Ends with 1 if a mutant survives.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.mutants.rules import MUTANTS, Mutant
from tests.support.paths import ROOT

WITH_SOAK = bool(os.environ.get("SOAK"))
SOAK = {"SECONDS": "50", "SEED": "7", "VALKEY": "one"}
LONGEST = 400  # seconds of one test or soak


def main(chosen: list[str]) -> int:
    mutants = [mutant for mutant in MUTANTS if not chosen or any(part in mutant.rule for part in chosen)]
    if not mutants:
        sys.exit(f"No rule has any of these parts: {', '.join(chosen)}.")
    with tempfile.TemporaryDirectory(prefix="client-queue-mutants-") as name:
        folder = Path(name) / "site"
        _copy(folder)
        _check(folder, mutants)
        found = {mutant: _try(folder, mutant) for mutant in mutants}
    _report(found)
    return 0 if all(found.values()) else 1


def _copy(folder: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def _check(folder: Path, mutants: list[Mutant]) -> None:
    """Every text is there once, and every test passes while nothing is broken."""
    for mutant in mutants:
        if (count := (folder / mutant.path).read_text().count(mutant.old)) != 1:
            raise SystemExit(f"{mutant.path} has {mutant.old!r} {count} times, and not once: {mutant.rule}")
    tests = sorted({mutant.test for mutant in mutants})
    _say(f"{len(mutants)} mutants; first their {len(tests)} tests on the whole project")
    if _fails(folder, *tests):
        raise SystemExit("These tests have to pass before anything is broken.")


def _try(folder: Path, mutant: Mutant) -> list[str]:
    """The finders of the mutant: "test", "soak", or nothing."""
    began, found = time.monotonic(), list[str]()
    with _broken(folder / mutant.path, mutant):
        if _fails(folder, mutant.test):
            found.append("test")
        if WITH_SOAK and mutant.soak and _soak_fails(folder, mutant.soak):
            found.append("soak")
    _say(f"  {' and '.join(found) or 'SURVIVED':14} {time.monotonic() - began:5.0f} s  {mutant.rule}")
    return found


@contextmanager
def _broken(path: Path, mutant: Mutant) -> Iterator[None]:
    whole = path.read_text()
    path.write_text(whole.replace(mutant.old, mutant.new))
    try:
        yield
    finally:
        path.write_text(whole)


def _fails(folder: Path, *tests: str) -> bool:
    command = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *(f"tests/{test}" for test in tests)]
    code = _run(folder, command, {})
    if code not in {0, 1}:
        raise SystemExit(f"pytest ended with {code}: {tests}")
    return code == 1


def _soak_fails(folder: Path, faults: str) -> bool:
    is_over = _run(folder, ["-m", "tests.soak"], SOAK | {"FAULTS": faults}) != 0
    return is_over and b"VIOLATION" in (folder.parent / "log").read_bytes()


def _run(folder: Path, command: list[str], variables: dict[str, str]) -> int:
    """The exit code of a Python command in the copy. Bytecode is not kept: two versions may be of one second."""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | variables
    log = folder.parent / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            return process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait(60)
            return 1


def _report(found: dict[Mutant, list[str]]) -> None:
    _say(f"\n{'found by':14} rule ({'test of the rule'})")
    for mutant, by in found.items():
        _say(f"{' and '.join(by) or '-':14} {mutant.rule}\n{'':14}   {mutant.test}")
    survivors = [mutant.rule for mutant, by in found.items() if not by]
    share = 100 * (len(found) - len(survivors)) / len(found)
    _say(f"\nfound: {len(found) - len(survivors)} of {len(found)} ({share:.0f} %)")
    for rule in survivors:
        _say(f"survived: {rule}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
