"""Queries that run each second or minute find their rows by an index, however many entries have ended."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from queueing.models import Entry, EntryQuerySet
from queueing.states import Status

pytestmark = pytest.mark.postgres

PROBE = Entry.objects.filter(queue="probe")
LONG_AGO = Now() - timedelta(hours=1)

# The reader of each query, the query, and its index.
QUERIES: dict[str, tuple[Callable[[], EntryQuerySet], str]] = {
    "facts: running": (PROBE.running, "entry_running_queue"),
    "facts: latest runs": (
        lambda: PROBE.filter(status=Status.SUCCEEDED, last_attempted_at__isnull=False).order_by("-finished_at")[:50],
        "entry_succeeded",
    ),
    "facts: latest ends": (lambda: PROBE.final().order_by("-finished_at")[:100], "entry_finished"),
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
