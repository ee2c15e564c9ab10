"""Numbers for Prometheus."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families as parse_metrics

from queueing.line import presence, workers
from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Absence, LineState, Status
from tests.support.levers import set_levers
from tests.support.visitors import Visitor, staff

pytestmark = pytest.mark.django_db(transaction=True)


Join = Callable[..., Entry]


def metric(text: str, name: str, queue: str, **labels: str) -> float:
    samples = [sample for family in parse_metrics(text) for sample in family.samples]
    labels["queue"] = queue
    return next(sample.value for sample in samples if sample.name == name and sample.labels == labels)


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


def test_worker_seconds_are_told_by_what_they_were_good_for(join: Join) -> None:
    now = timezone.now()
    for seconds, status, seen_at in (
        (10, Status.SUCCEEDED, now),
        (20, Status.SUCCEEDED, None),
        (40, Status.ABANDONED, None),
        (80, Status.CANCELLED, now),
    ):
        run_time = timedelta(seconds=seconds)
        Entry.objects.filter(pk=join().pk).update(
            status=status,
            attempt=2,
            run_time=run_time,
            lost_time=timedelta(seconds=1),
            finished_at=now,
            end_seen_at=seen_at,
        )
    text = staff("view").client.get("/metrics").content.decode()
    assert metric(text, "queueing_goodput", "probe") == 10
    assert metric(text, "queueing_not_seen_yet", "probe") == 20
    for cause, seconds in {"left": 40, "stopped": 80, "failed": 4, "never_came": 0, "never_seen": 0}.items():
        assert metric(text, "queueing_waste", "probe", cause=cause) == seconds
        assert metric(text, "queueing_waste", "tables", cause=cause) == 0


def test_metrics_are_not_for_everybody(settings: Any) -> None:
    for token in ("", "right"):
        settings.METRICS_TOKEN = token
        for header in ("", "Bearer ", "Bearer wrong", "Basic right", "Bearer \u00e9", "right", "Bearerright"):
            assert Visitor().client.get("/metrics", headers={"Authorization": header}).status_code == 404
    assert staff().client.get("/metrics").status_code == 404
    assert Visitor().client.get("/metrics", headers={"Authorization": "Bearer right"}).status_code == 200


def test_the_state_of_each_line_is_a_metric() -> None:
    """A suspension by RQ shows as paused."""
    looker = staff("view")

    def states() -> dict[str, float]:
        text = looker.client.get("/metrics").content.decode()
        return {state: metric(text, "queueing_line_state", "probe", state=state) for state in LineState.values}

    set_levers(state="closed")
    assert states() == {"open": 0, "closed": 1, "paused": 0, "stopped": 0}
    workers.suspend()
    assert states() == {"open": 0, "closed": 0, "paused": 0, "stopped": 1}
