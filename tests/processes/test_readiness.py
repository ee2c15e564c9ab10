"""A site with all of its processes is ready."""

import pytest
from rq import suspension

from queueing.line import clients
from tests.support.processes import Processes
from tests.support.visitors import Visitor
from tests.support.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def ready() -> tuple[int, dict[str, bool]]:
    answer = Visitor().client.get("/readyz")
    return answer.status_code, answer.json()


def test_keeper_and_workers_make_it_ready(processes: Processes) -> None:
    processes.keeper()
    processes.worker("documents", "tables", "probe")
    wait_for(lambda: ready()[0] == 200, 10)
    parts = ready()[1]
    assert parts.pop("lines") == {"documents": "open", "tables": "open", "probe": "open"}
    assert parts == dict.fromkeys(("database", "redis", "keeper", "places", "workers", "storage"), True)
    suspension.suspend(clients.connection())
    assert (ready()[0], ready()[1]["workers"]) == (503, False)
    suspension.resume(clients.connection())
    assert ready()[0] == 200
