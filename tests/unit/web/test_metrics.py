"""Numbers for Prometheus."""

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_metrics

from queueing.line import presence
from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Absence
from tests.support.visitors import Visitor, staff

pytestmark = pytest.mark.django_db(transaction=True)


Join = Callable[..., Entry]


def metric(text: str, name: str, queue: str) -> float:
    samples = [sample for family in parse_metrics(text) for sample in family.samples]
    return next(sample.value for sample in samples if sample.name == name and sample.labels == {"queue": queue})


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
