"""Queries that run each second or minute find their rows by an index, however many entries have ended."""

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from queueing import budget, crowding, inputs, stats
from queueing.history import counting
from queueing.keeper import recent, survey
from queueing.models import Entry, EntryQuerySet

pytestmark = pytest.mark.postgres

PROBE = Entry.objects.filter(queue="probe")
LONG_AGO = Now() - timedelta(hours=1)

# The reader of each query, the query, and its index.
QUERIES: dict[str, tuple[Callable[[], EntryQuerySet], str]] = {
    "survey: running": (survey.running_rows, "entry_running_queue"),
    "recent: latest runs": (lambda: recent.latest_runs("probe"), "entry_succeeded"),
    "recent: latest ends": (lambda: recent.latest_ends("probe"), "entry_finished"),
    "stats: ends lately": (lambda: PROBE.final().filter(finished_at__isnull=False), "entry_finished"),
    "keeper: waiting": (PROBE.waiting, "entry_waiting"),
    "crowding: places of an address": (
        lambda: crowding.places_of("probe", "a" * 16, [uuid.uuid4()])[:40],
        "entry_waiting",
    ),
    "keeper: leases": (Entry.objects.lease_over, "entry_running"),
    "inputs: others that name one": (lambda: inputs.naming(["entries/x/input"]), "entry_input"),
    "keeper: inputs": (lambda: Entry.objects.inputs_over().order_by("input_until")[:50], "entry_input_until"),
    "history: what is not counted": (
        lambda: Entry.objects.not_counted().filter(queue__in=["probe"])[:500],
        "entry_not_counted",
    ),
    "keeper: purge": (
        lambda: Entry.objects.final().filter(finished_at__lt=LONG_AGO).order_by("finished_at")[:50],
        "entry_finished_at",
    ),
}


@pytest.fixture(autouse=True)
def as_new(db: None) -> None:
    """The table as it was made.

    A plan of PostgreSQL depends on the pages that deleted rows have left in it and in its indexes, and on whether the
    server has analyzed it by itself meanwhile.
    """
    if connection.vendor == "postgresql":
        table = Entry._meta.db_table
        with connection.cursor() as cursor:  # all of it ends with the transaction of the test
            cursor.execute(f"TRUNCATE {table} CASCADE")
            cursor.execute("DELETE FROM pg_statistic WHERE starelid = %s::regclass", [table])


@pytest.mark.parametrize("read", [stats.all_lines, lambda: stats.line_stats("probe")])
def test_the_numbers_for_staff_are_summed_by_indexes(db: None, valkey: redis.Redis, read: Callable[[], Any]) -> None:
    """The queries as they are sent, with every sum in them."""
    with CaptureQueriesContext(connection) as queries:
        read()
    sent = [query["sql"] for query in queries.captured_queries]
    assert any("SUM" in sql and "run_time" in sql and "lost_time" in sql for sql in sent)
    plans = [plan_of(sql) for sql in sent]
    used = [re.findall(r"\bentry_\w+", plan) for plan in plans]
    assert used == [["entry_running_queue"], ["entry_waiting"], ["entry_finished"]], plans
    assert not any("SCAN queueing_entry" in plan or "Seq Scan" in plan for plan in plans)


def test_what_counts_for_the_budgets_of_a_join_is_found_by_indexes(db: None) -> None:
    values = budget.parameters(Entry(queue="probe", visitor=uuid.uuid4(), address="here"), 1_000_000)
    plan = plan_of(budget.USED, values)
    assert "entry_address" in plan, plan
    assert "visitor" in plan
    assert ("rowid>?" if connection.vendor == "sqlite" else "queueing_entry_pkey") in plan
    assert "SCAN queueing_entry" not in plan
    assert "Seq Scan" not in plan


def test_the_sums_of_the_lines_read_what_is_stored_and_count_by_an_index(db: None, valkey: redis.Redis) -> None:
    with CaptureQueriesContext(connection) as queries:
        budget.publish_totals()
    plans = [plan_of(query["sql"]) for query in queries.captured_queries]
    assert any("entry_stored" in plan for plan in plans), plans
    assert not any("Seq Scan" in plan or "SCAN queueing_entry'" in plan for plan in plans), plans


def test_the_lines_with_something_to_count_are_read_from_an_index_of_little_else(db: None) -> None:
    with CaptureQueriesContext(connection) as queries:
        counting.count(until=0)
    plan = plan_of(queries.captured_queries[0]["sql"])
    assert re.findall(r"\bentry_\w+", plan)[:1] == ["entry_not_counted"], plan


def plan_of(sql: str, values: dict[str, Any] | None = None) -> str:
    """The plan on a table that is empty, and so would be read whole by PostgreSQL."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {'' if connection.vendor == 'postgresql' else 'QUERY PLAN '}{sql}", values)
        return "\n".join(str(row) for row in cursor.fetchall())


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
