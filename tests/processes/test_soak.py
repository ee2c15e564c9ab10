"""Longer soaks: each fault once, and a minute of faults at random."""

import os
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # a soak that goes wrong takes longer to say so


def soak(**variables: str) -> str:
    """The output of a soak with these variables."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak"],
        cwd=ROOT,
        env=os.environ | {"SEED": "1"} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "violations: 0" in done.stdout
    return done.stdout


def test_each_fault_happens_and_breaks_no_promise() -> None:
    soak(SECONDS="0", TEST_DATABASE="postgres", VISITORS="8")


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_minute_of_faults_breaks_no_promise(database: str) -> None:
    soak(SECONDS="60", TEST_DATABASE=database, VALKEY="one")
