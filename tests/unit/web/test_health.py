"""Alive, ready, metrics."""

from collections.abc import Callable
from typing import Any

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families as parse_metrics

from queueing.line import presence
from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Absence
from tests.support.connections import forget_connections
from tests.support.processes import Processes
from tests.support.servers import free_port
from tests.support.visitors import Visitor, staff
from tests.support.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

Join = Callable[..., Entry]


def ready() -> tuple[int, dict[str, bool]]:
    answer = Visitor().client.get("/readyz")
    return answer.status_code, answer.json()


def metric(text: str, name: str, queue: str) -> float:
    samples = [sample for family in parse_metrics(text) for sample in family.samples]
    return next(sample.value for sample in samples if sample.name == name and sample.labels == {"queue": queue})


def test_it_works() -> None:
    answer = Visitor().client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_a_site_without_keeper_and_workers_is_not_ready() -> None:
    assert ready() == (503, {"database": True, "redis": True, "keeper": False, "workers": False})


def test_a_site_without_redis_is_alive_and_not_ready(settings: Any, valkey: redis.Redis) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    forget_connections()
    try:
        assert Visitor().client.get("/healthz").status_code == 200
        assert ready() == (503, {"database": True, "redis": False, "keeper": False, "workers": False})
        settings.METRICS_TOKEN = "token"
        answer = Visitor().client.get("/metrics", headers={"Authorization": "Bearer token"})
        assert answer.status_code == 503
    finally:
        forget_connections()


def test_keeper_and_workers_make_it_ready(processes: Processes) -> None:
    processes.keeper()
    processes.worker("documents", "tables", "probe")
    wait_for(lambda: ready()[0] == 200, 10)
    assert ready()[1] == {"database": True, "redis": True, "keeper": True, "workers": True}


def test_metrics_tell_what_the_lines_hold(join: Join, line: Line) -> None:
    for _ in range(3):
        entry = join()
    presence.close("probe", entry.job_id, Absence.LOST)
    answer = staff("view").client.get("/metrics")
    assert answer["Content-Type"].startswith("text/plain; version=")
    text = answer.content.decode()
    assert metric(text, "queueing_present", "probe") == 2
    assert metric(text, "queueing_held", "probe") == 1
    assert metric(text, "queueing_present", "tables") == 0


def test_metrics_are_not_for_everybody(settings: Any) -> None:
    for token in ("", "right"):
        settings.METRICS_TOKEN = token
        for header in ("", "Bearer ", "Bearer wrong", "Basic right", "Bearer \u00e9"):
            assert Visitor().client.get("/metrics", headers={"Authorization": header}).status_code == 404
    assert staff().client.get("/metrics").status_code == 404
    assert Visitor().client.get("/metrics", headers={"Authorization": "Bearer right"}).status_code == 200
