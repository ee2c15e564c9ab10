"""The way of a horse, gone before anybody waits."""

from dataclasses import replace
from typing import Any

import pytest

from queueing import registry
from queueing.line.places import Line
from queueing.models import Entry
from queueing.work import rehearsal
from tests.support import probe

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
OURS = {"BACKEND": "queueing.backend.PresenceBackend", "QUEUES": ["probe"]}


def rehearse() -> None:
    rehearsal.warm_up(["probe"])
    for step in rehearsal.steps(["probe"]):
        step()


@pytest.mark.parametrize("backend", ["immediate.ImmediateBackend", "dummy.DummyBackend"])
def test_the_task_may_be_of_another_backend_than_the_default_one(
    line: Line, settings: Any, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    """A site with tasks of its own keeps its default backend, which does not know our queues."""
    settings.TASKS = {"default": {"BACKEND": f"django.tasks.backends.{backend}"}, "queue": OURS}
    own = replace(probe.heavy_task, task=probe.heavy_task.task.using(backend="queue"))
    monkeypatch.setitem(registry.all_tasks(), "probe", own)
    rehearse()
    assert (Entry.objects.count(), line.count_entries()) == (0, 0)
