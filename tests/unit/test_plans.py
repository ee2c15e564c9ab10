"""Queries that run each second or minute find their rows by an index, however many entries have ended."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from queueing.keeper import survey
from queueing.models import Entry, EntryQuerySet

pytestmark = pytest.mark.postgres

PROBE = Entry.objects.filter(queue="probe")
LONG_AGO = Now() - timedelta(hours=1)

# The reader of each query, the query, and its index.
QUERIES: dict[str, tuple[Callable[[], EntryQuerySet], str]] = {
    "survey: running": (survey.running_rows, "entry_running_queue"),
    "survey: latest runs": (lambda: survey.latest_runs("probe"), "entry_succeeded"),
    "survey: latest ends": (lambda: survey.latest_ends("probe"), "entry_finished"),
    "stats: ends lately": (lambda: PROBE.final().filter(finished_at__gt=LONG_AGO), "entry_finished"),
    "keeper: waiting": (PROBE.waiting, "entry_waiting"),
    "keeper: leases": (Entry.objects.lease_over, "entry_running"),
    "keeper: purge": (
        lambda: Entry.objects.final().filter(finished_at__lt=LONG_AGO).order_by("finished_at")[:50],
        "entry_finished_at",
    ),
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_of_each_round_has_its_index(db: None, name: str) -> None:
    query, index = QUERIES[name]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")  # the table is empty, so it would be read whole
    plan = query().explain()
    assert index in plan, plan
    assert "SCAN queueing_entry" not in plan
    assert "Seq Scan" not in plan
