"""A short soak in every run: the site under one fault of most kinds. `make soak` has them all, and for longer."""

from collections import Counter

import pytest

from tests.support.soaks import Soak, impossible

pytestmark = pytest.mark.timeout(600)  # a soak that goes wrong takes longer to say so

NAMES = [
    "kill a worker", "stop a worker and its horse", "kill a horse", "end a web process", "kill the keeper",
    "Valkey is back empty", "the database crashes", "the disk of files is full", "visitors are cut off",
    "a worker host's clock is set back",
]  # fmt: skip
# 0 seconds: each of them once, however slow the machine is. LATE: it runs other tests, too.
SHORT = {"SECONDS": "0", "SEED": "4", "VISITORS": "12", "LATE": "3", "VALKEY": "one", "TEST_DATABASE": "postgres"}


def test_a_short_soak_breaks_no_promise() -> None:
    soak = Soak(**SHORT, FAULTS=",".join(NAMES))
    assert soak.left_out == impossible(NAMES)
    assert soak.faults == Counter(set(NAMES) - impossible(NAMES))  # once each
