"""A Python without the packages of the site, as after a `pip install` that was left out or failed."""

import subprocess
import sys

import pytest

from tests.support.paths import ROOT


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
