"""A Python without the packages of the site, as after a `pip install` that was left out or failed."""

import re
import subprocess
import sys

import pytest

from tests.support.paths import ROOT
from tools.walk import BLOCK

# Programs that pip puts into .venv/bin, each with the folder of the venv in its first line.
PROGRAMS = re.compile(r"^\s*(?:\.venv/bin/)?(?:uvicorn|daphne|rq|rqworker|django-admin)\b.*", re.MULTILINE)


@pytest.mark.parametrize(
    ("command", "missing"),
    [(("manage.py", "migrate"), "django"), (("-m", "config.serve"), "django and daphne")],
)
def test_packages_that_are_not_installed_are_one_sentence(command: tuple[str, ...], missing: str) -> None:
    bare = [sys.executable, "-S", *command]  # without site-packages
    done = subprocess.run(bare, cwd=ROOT, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{missing} cannot be imported by ")
    assert done.stderr.strip().endswith(
        ".venv/bin/python -m pip install --no-deps --only-binary :all: --require-hashes -r requirements.txt"
    )
    assert len(done.stderr.splitlines()) == 1


def test_no_command_of_the_document_is_lost_when_a_new_version_is_moved_into_its_place() -> None:
    document = (ROOT / "docs" / "operations.md").read_text()
    assert [line for commands in BLOCK.findall(document) for line in PROGRAMS.findall(commands)] == []
    assert "python -m rq.cli suspend" in document
    command = [sys.executable, "-m", "rq.cli", "suspend", "--help"]
    assert "Usage: " in subprocess.run(command, capture_output=True, text=True, check=True).stdout
