"""Long lines for the benchmarks: rows, jobs, places and presence, made in bulk."""

from queueing.line import get_line
from queueing.models import Entry
from tests.benchmarks.stock import first_and_last

BATCH = 1000
QUEUE = "bench"


def clear() -> None:
    """Nobody waits, in the database and in Valkey."""
    Entry.objects.all().delete()
    get_line(QUEUE).connection.flushall()


def make(count: int, presence: float | None = 3600) -> list[Entry]:
    """So many entries in the line, present for that many seconds."""
    made: list[Entry] = []
    for start in range(0, count, BATCH):
        entries = [Entry(queue=QUEUE, task_path=first_and_last.module_path) for _ in range(min(BATCH, count - start))]
        made += Entry.objects.bulk_create(entries)
    put(made, presence)
    return made


def put(entries: list[Entry], presence: float | None = 3600) -> None:
    """Give rows their places."""
    line = get_line(QUEUE)
    for start in range(0, len(entries), BATCH):
        with line.connection.pipeline(transaction=False) as pipe:
            for entry in entries[start : start + BATCH]:
                line.place(entry.job_id, entry.score, presence=presence, pipeline=pipe)
            pipe.execute()
