"""Long lines for the benchmarks: rows, jobs, places and presence, made in bulk."""

import math

from django.db import connection
from django.utils import timezone

from queueing.line.places import get_line
from queueing.models import Entry
from tests.benchmarks.stock import first_and_last
from tests.support.epochs import begin_epochs
from tests.support.standing import stand

BATCH = 1000
QUEUE = "bench"


def clear() -> None:
    """Nobody waits, in the database and in Valkey."""
    Entry.objects.all().delete()
    get_line(QUEUE).client.flushall()
    begin_epochs(get_line(QUEUE).client)


def make(count: int, presence: float = math.inf, *, seconds: float = 0.0) -> list[Entry]:
    """So many entries in the line, present for that many seconds. The task of each works for `seconds`."""
    if not count:
        return []
    first = Entry.objects.create(
        queue=QUEUE, task_path=first_and_last.module_path, seen_at=timezone.now(), kwargs={"seconds": seconds}
    )
    copy(first, count)
    entries = list(Entry.objects.filter(pk__gte=first.pk).only("code", "priority", "place").order_by("pk"))
    put(entries, presence)
    return entries


def copy(entry: Entry, count: int) -> None:
    """Copy this entry in the database until there are so many: Django would need half a minute for 100,000."""
    table = Entry._meta.db_table
    columns = [field.column for field in Entry._meta.concrete_fields if field.column and not field.primary_key]
    code = {"sqlite": "lower(hex(randomblob(16)))", "postgresql": "gen_random_uuid()"}[connection.vendor]
    values = [code if column == "code" else column for column in columns]
    insert = (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {table} WHERE id >= %s LIMIT %s"  # noqa: S608  # names of our own
    )
    made = 1
    with connection.cursor() as cursor:
        while made < count:
            cursor.execute(insert, [entry.pk, min(made, count - made)])
            made += cursor.rowcount


def put(entries: list[Entry], presence: float = math.inf) -> None:
    """Give rows their places."""
    line = get_line(QUEUE)
    for start in range(0, len(entries), BATCH):
        with line.client.pipeline(transaction=False) as pipe:
            for entry in entries[start : start + BATCH]:
                stand(line, entry.job_id, entry.score, presence=presence, pipeline=pipe)
            pipe.execute()
