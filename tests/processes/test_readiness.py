"""A site with all of its processes is ready."""

from typing import Any

import pytest
from rq import suspension

from queueing import serving
from queueing.line import clients
from tests.support.processes import Processes
from tests.support.visitors import Visitor
from tests.support.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def ready() -> tuple[int, dict[str, Any]]:
    answer = Visitor().client.get("/readyz")
    return answer.status_code, answer.json()


def test_keeper_and_workers_make_it_ready(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_has_sockets", True)  # Django's client calls no ASGI application
    processes.keeper()
    processes.worker("documents", "tables", "probe")
    wait_for(lambda: ready()[0] == 200)
    parts = ready()[1]
    assert parts.pop("lines") == {"documents": "open", "tables": "open", "probe": "open"}
    needed = ("database", "migrations", "redis", "keeper", "places", "workers", "storage", "static", "sockets")
    assert parts == dict.fromkeys(needed, True)
    suspension.suspend(clients.connection())
    assert (ready()[0], ready()[1]["workers"], ready()[1]["lines"]["probe"]) == (503, False, "paused")
    suspension.resume(clients.connection())
    assert ready()[0] == 200
