"""The line, presence and the keeper beside a model in plain Python, under any order of events.

`make test` runs the same examples each time, and `make test-slow` runs longer ones for two minutes. To look further, by
hand: `pytest tests/unit/line/test_line_model.py --hypothesis-profile=explore --timeout=0`.

The test must fail when a claim does not look at presence, a beat gives another score, a drop does not look once more,
a restore forgets held or claimed entries, or a hold leaves the id in the line.
"""

import itertools
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed
from hypothesis import settings as examples
from hypothesis.stateful import run_state_machine_as_test

from queueing.keeper import holding, reconcile
from queueing.keeper import round as keeper_round
from queueing.models import Entry
from tests.support.line_model.machine import LineMachine
from tests.support.line_model.machine.moments import CLOCKS
from tests.support.line_model.machine.rounds import SMALL_WINDOW

# The first example of a seed is the simplest one, the second is random; later ones are mostly variations of it.
SEEDS = 45
ONE_OF_A_SEED = examples(
    max_examples=2,
    stateful_step_count=20,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # to make a failing example shorter takes longer than a test may run
)
LONGER_ONE_OF_A_SEED = examples(ONE_OF_A_SEED, stateful_step_count=40)
EXPLORING = 120  # seconds


@pytest.fixture
def as_in_the_model(transactional_db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The site with the clocks and windows of the model."""
    settings.QUEUEING = CLOCKS
    for module in (holding, keeper_round, reconcile):
        monkeypatch.setattr(module, "WINDOW", SMALL_WINDOW)
    # Rows have greater numbers than any foreign job in an empty line, in the first example too.
    Entry.objects.bulk_create(Entry(queue="probe") for _ in range(500))


@pytest.mark.timeout(600)  # 25 s on an idle machine; seven times as long was seen on a busy one
def test_the_line_does_what_its_model_does(as_in_the_model: None) -> None:
    if examples.get_current_profile_name() == "explore":
        run_state_machine_as_test(LineMachine)
        return
    for number in range(SEEDS):
        run_state_machine_as_test(seed(number)(LineMachine), settings=ONE_OF_A_SEED)


@pytest.mark.slow
@pytest.mark.timeout(5 * EXPLORING)
def test_longer_orders_of_events_do_what_the_model_does(as_in_the_model: None) -> None:
    """The seeds are fixed, so that a failure can be repeated; how many there is time for depends on the machine."""
    end = time.monotonic() + EXPLORING
    for number in itertools.count(SEEDS):
        run_state_machine_as_test(seed(number)(LineMachine), settings=LONGER_ONE_OF_A_SEED)
        if time.monotonic() > end:
            return
