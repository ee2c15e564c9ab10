"""`manage.py queue_stats`."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.utils import timezone

from queueing.line import presence
from queueing.line.places import Line
from queueing.line.signs import note_round
from queueing.models import Entry
from queueing.states import Absence, Status
from tests.support.commands import run_command
from tests.support.entries import ended

pytestmark = pytest.mark.django_db(transaction=True)


Join = Callable[..., Entry]


def test_the_lines_in_words_and_for_machines(join: Join, line: Line) -> None:
    first, _, _ = join(), join(), ended(join(), Status.CANCELLED, timedelta())
    presence.close("probe", first.job_id, Absence.LOST)
    words = run_command("queue_stats").splitlines()
    assert [sentence.split(":")[0] for sentence in words] == list(django_settings.QUEUEING_TASKS)
    assert words[-1].startswith("probe: 2 present, 1 held, 0 running, 0 workers; oldest wait ")
    assert words[-1].endswith("goodput 0 s, waste 0 s, 1 left before their start.")
    assert "none" in words[0]
    lines: list[dict[str, Any]] = json.loads(run_command("queue_stats", "--json"))
    assert lines[-1].keys() == {
        *("queue", "has_epoch", "present", "held", "running", "wait", "workers", "suspended", "oldest_wait", "skipped"),
        *("goodput", "not_seen_yet", "waste", "waste_by_cause", "state", "levers", "busy", "idle", "quiet"),
        "is_overtaken",
    }
    assert (lines[-1]["present"], lines[-1]["held"], lines[-1]["skipped"]) == (2, 1, 1)


def test_a_silent_keeper_is_told_beside_the_numbers(valkey: redis.Redis, capsys: pytest.CaptureFixture[str]) -> None:
    json.loads(run_command("queue_stats", "--json"))
    assert capsys.readouterr().err.startswith("The keeper gives no sign of life")
    note_round(valkey)
    run_command("queue_stats")
    assert capsys.readouterr().err == ""


def test_goodput_and_waste_are_told_apart(join: Join) -> None:
    now = timezone.now()
    for seconds, status, seen_at in (
        (10, Status.SUCCEEDED, now),
        (20, Status.SUCCEEDED, None),
        (40, Status.ABANDONED, None),
        (80, Status.CANCELLED, now),
    ):
        run_time = timedelta(seconds=seconds)
        Entry.objects.filter(pk=join().pk).update(
            status=status, attempt=1, run_time=run_time, finished_at=now, end_seen_at=seen_at
        )
    numbers = json.loads(run_command("queue_stats", "--json"))[-1]
    assert (numbers["goodput"], numbers["not_seen_yet"], numbers["waste"], numbers["skipped"]) == (10, 20, 120, 0)
    causes = {"never_came": 0, "left": 40, "stopped": 80, "failed": 0, "never_seen": 0}
    assert numbers["waste_by_cause"] == causes
    words = "goodput 10 s (and 20 s not seen yet), waste 120 s (left while running 40 s, stopped 80 s), 0 left"
    assert words in run_command("queue_stats")
