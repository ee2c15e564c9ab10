"""A worker that is quiet, or about to end, serves no line. Visitors, staff and machines are told so."""

import json
import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from queueing import stats
from queueing.admin import board
from queueing.checks.deployed import check_redis
from queueing.history.books import minute_of
from queueing.history.sampling import sample
from queueing.keeper.survey import Survey, Surveyor
from queueing.line import clients
from queueing.models import Entry
from queueing.web import readiness
from queueing.work.worker import PresenceWorker
from tests.support import ledger
from tests.support.commands import run_command
from tests.support.metrics import parse, scrape
from tests.support.visitors import Visitor, url

pytestmark = pytest.mark.django_db(transaction=True)

LINES = ["documents", "tables", "probe"]
Join = Callable[..., Entry]


def be_quiet(worker: PresenceWorker) -> None:
    worker.handle_payload({"data": json.dumps({"command": "quiet"}).encode()})


def be_stopping(worker: PresenceWorker) -> None:
    worker._shutdown_requested_date = timezone.now()
    worker.set_shutdown_requested_date()


@pytest.fixture
def workers() -> list[PresenceWorker]:
    made = [PresenceWorker(LINES, name=name, connection=clients.connection()) for name in ("one", "two")]
    for worker in made:
        worker.register_birth()
        worker.set_state("idle")
    return made


@pytest.fixture(params=[be_quiet, be_stopping])
def nobody(request: pytest.FixtureRequest, workers: list[PresenceWorker]) -> None:
    """Both workers are there, and none takes an entry."""
    for worker in workers:
        request.param(worker)


@pytest.mark.usefixtures("nobody")
def test_visitors_are_promised_no_worker() -> None:
    visitor = Visitor()
    entry = visitor.join()
    visitor.client.get(url(entry))
    Surveyor(budget=math.inf).publish()
    told = visitor.client.get(url(entry, "status.json")).json()
    assert told["eta_seconds"] is None
    assert told["wait"] == "No worker is there at the moment. Your place is kept, and the line goes on by itself."
    assert "serve" not in visitor.client.get(url(entry)).content.decode()
    assert "No worker is there at the moment" in Visitor().client.get("/join/probe/").content.decode()


@pytest.mark.usefixtures("nobody")
def test_staff_and_machines_are_told(settings: Any) -> None:
    Surveyor(budget=math.inf).publish()
    now = board.now_of(["probe"])["probe"]
    assert now["workers"].replace("<small>", ", ").removesuffix("</small>") == "0 busy, 0 idle, 2 quiet"
    assert now["wait"] == board.UNKNOWN
    metrics = parse(scrape(settings))
    assert metrics.all_of("queueing_workers", line="probe") == {"busy": 0, "idle": 0, "quiet": 2}
    assert metrics.all_of("queueing_expected_wait_seconds", line="probe") == {}
    assert metrics.of("queueing_ready", part="workers") == 0
    assert not readiness.look()["workers"]
    assert "0 workers (and 2 quiet)" in run_command("queue_stats")
    (line,) = [one for one in json.loads(run_command("queue_stats", "--json")) if one["queue"] == "probe"]
    assert (line["workers"], line["quiet"], line["wait"]) == (0, 2, None)
    assert any(message.id == "queueing.I104" for message in check_redis())


@pytest.mark.usefixtures("nobody")
def test_the_memory_counts_those_that_take_entries() -> None:
    sample(minute_of(timezone.now() - timedelta(minutes=1)))
    assert [tally.workers for queue, _, tally in ledger.tallies() if queue == "probe" and tally.samples] == [0]


def test_the_work_in_hand_of_a_quiet_worker_is_still_work(join: Join, workers: list[PresenceWorker]) -> None:
    """Its entry runs and does not come back to the line; the other worker is free for the next one."""
    entry = join()
    assert entry.start("one")
    workers[0].set_state("busy")
    be_quiet(workers[0])
    survey = Survey()
    facts = survey.facts("probe")
    assert (facts.workers, facts.busy, facts.running, facts.wait(0)) == (1, 0, 1, (0, 2))
    assert survey._state("probe").returning == 0
    (line,) = stats.live_lines(["probe"])
    assert (line.busy, line.idle, line.quiet, line.workers) == (0, 1, 1, 1)


def test_a_worker_that_goes_on_serves_again(workers: list[PresenceWorker]) -> None:
    be_quiet(workers[0])
    workers[0].handle_payload({"data": b'{"command": "resume"}'})
    assert Survey().facts("probe").workers == 2
    assert readiness.holds(readiness._workers)
