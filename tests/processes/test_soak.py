"""Longer soaks: each fault once, and a minute of faults at random."""

import pytest

from tests.soak.faults import FAULTS
from tests.support.soaks import Soak, impossible

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # a soak that goes wrong takes longer to say so


def test_each_fault_happens_and_breaks_no_promise() -> None:
    soak = Soak(SECONDS="0", SEED="1", TEST_DATABASE="postgres", VISITORS="8")
    assert soak.left_out == impossible(FAULTS)
    assert soak.faults.keys() == FAULTS.keys() - impossible(FAULTS)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_minute_of_faults_breaks_no_promise(database: str) -> None:
    soak = Soak(SECONDS="60", SEED="1", TEST_DATABASE=database, VALKEY="one")
    assert soak.faults
