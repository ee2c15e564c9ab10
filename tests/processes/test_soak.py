"""A short soak: the site under faults of all kinds, with visitors that remember what was acknowledged."""

import os
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # a soak that goes wrong takes longer to say so


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_minute_of_faults_breaks_no_promise(database: str) -> None:
    environment = os.environ | {"SECONDS": "60", "SEED": "1", "TEST_DATABASE": database}
    soak = subprocess.run(
        [sys.executable, "-m", "tests.soak"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert soak.returncode == 0, soak.stdout + soak.stderr
    assert "violations: 0" in soak.stdout
