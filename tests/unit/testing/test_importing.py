"""The ASGI application in tests, which Channels' communicators need: its import makes no checks there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

TEST = """
from queueing.asgi import application


def test_it_is_there():
    assert callable(application)
"""
TEST_CASE = """
from django.test import SimpleTestCase

from queueing.asgi import application


class Importing(SimpleTestCase):
    def test_it_is_there(self):
        self.assertTrue(callable(application))
"""


def run(*words: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """A process of a site whose database has no tables."""
    told = {"DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": f"sqlite:///{folder}/empty.sqlite3"}
    environment = os.environ | told | {"PYTHONPATH": f"{ROOT}:{folder}"}
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_test_without_a_database_imports_it(tmp_path: Path) -> None:
    (tmp_path / "test_site.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    done = run("-m", "pytest", "-q", "-p", "queueing.testing.plugin", "test_site.py", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_test_of_djangos_own_runner_imports_it(tmp_path: Path) -> None:
    (tmp_path / "test_site.py").write_text(TEST_CASE)
    done = run("-m", "django", "test", "test_site", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("code", ["import queueing.asgi", "import config.asgi"])
def test_a_server_that_imports_it_still_makes_its_checks(tmp_path: Path, code: str) -> None:
    done = run("-c", code, folder=tmp_path)
    assert done.returncode == 1
    assert "queueing.E" in done.stderr
