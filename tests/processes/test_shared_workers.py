"""Two lines on the same two workers: what the page of a waiting visitor says, moment by moment."""

import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from django.utils import timezone

from queueing.facts import parse_facts
from queueing.line import clients, keys
from queueing.models import Entry
from queueing.states import Status
from queueing.testing.presence import stay
from tests.support.probe import entered, hold
from tests.support.processes import Processes
from tests.support.visitors import Visitor, url
from tests.support.waiting import wait_for

Join = Callable[..., Entry]

LINES = ("probe", "tables")
BUSY_ELSEWHERE = (
    "Nobody is ahead of you. Both workers of this line are busy with other lines. "
    "You are next when one is free for this line."
)
LOOKS, PAUSE = 8, 0.25  # looks at the page while nothing changes, and seconds between two of them
# Longer than the shortest rest of a run that the forecast reckons with.
AFTER_LAST_LOOK = 1.0


class Look(NamedTuple):
    """A look at the page."""

    at: float
    state: dict[str, Any]


@pytest.fixture
def _known_runs(transactional_db: None) -> None:
    """Runs of 0.5 to 60 s have ended in both lines, so that a run of any age may end soon, or late."""
    for queue in LINES:
        for number in range(36):
            finished = timezone.now() - timedelta(minutes=1 + number)
            started = finished - timedelta(seconds=0.5 * 1.147**number)
            Entry.objects.create(
                queue=queue, status=Status.SUCCEEDED, attempt=1, worker_ids=["earlier"], visitor=uuid.uuid4(),
                joined_at=started, started_at=started, last_attempted_at=started, finished_at=finished,
            )  # fmt: skip


@pytest.fixture
def two_workers(processes: Processes) -> None:
    processes.keeper()
    for _ in range(2):
        processes.worker(*LINES)


@pytest.fixture
def gates(two_workers: None, join: Join) -> Iterator[list[Any]]:
    """Both workers run a task of the other line, each for as long as its gate is there. The tasks tell no progress."""
    made = [hold(label) for label in ("one", "two")]
    stay(*(join(label, deaf=True) for label in ("one", "two")))
    wait_for(lambda: entered("one") and entered("two"))
    wait_for(lambda: facts().busy_elsewhere == 2)
    yield made
    for gate in made:
        gate.unlink(missing_ok=True)


def facts() -> Any:
    return parse_facts(clients.connection().get(keys.facts_key("tables")))


@pytest.mark.usefixtures("_known_runs")
def test_a_page_is_true_while_both_workers_work_for_another_line(gates: list[Any], processes: Processes) -> None:
    visitor = Visitor()
    entry = visitor.join_with_sample("tables")
    looks = []
    for _ in range(LOOKS):
        looks.append(Look(time.monotonic(), visitor.client.get(url(entry, "status.json")).json()))
        time.sleep(PAUSE)
    for look in looks:
        assert (look.state["status"], look.state["position"], look.state["detail"]) == ("waiting", 1, BUSY_ELSEWHERE)
        assert look.state["eta_seconds"] is not None
    time.sleep(AFTER_LAST_LOOK)
    gates[0].unlink()
    wait_for(lambda: visitor.client.get(url(entry, "status.json")).json()["status"] != "waiting")
    begun = time.monotonic()
    for look in looks:
        low, high = look.state["eta_seconds"]
        assert low <= begun - look.at <= high
    wait_for(lambda: visitor.client.get(url(entry, "status.json")).json()["status"] == "succeeded")


@pytest.mark.usefixtures("two_workers")
def test_a_worker_that_is_free_is_said(join: Join) -> None:
    """One worker is busy with the other line, and the other one takes the visitor at once."""
    gate = hold("one")
    stay(join("one", deaf=True))
    wait_for(lambda: facts().busy_elsewhere == 1)
    low, high = facts().wait(0)
    assert (low, high) == (0, 2)
    entry = Visitor().join_with_sample("tables")
    wait_for(lambda: Entry.objects.get(pk=entry.pk).status == Status.SUCCEEDED)
    assert gate.exists()
    gate.unlink()
