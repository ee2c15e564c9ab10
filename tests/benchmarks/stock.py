"""The rival: stock RQ as one would use it, and the work that both sides do. Run as a program, it is its worker."""

import os
import time
from functools import cache
from pathlib import Path
from typing import Any

from django.tasks import task
from rq import Queue
from rq.serializers import JSONSerializer

from queueing.forms import EntryForm
from queueing.registry import HeavyTask


def stamp(kind: str, at: float) -> None:
    """A line in the log of both sides; one write, so that lines of two processes do not mix."""
    log = os.open(os.environ["PROBE_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(log, f"{kind} {at}\n".encode())
    os.close(log)


@task(queue_name="bench")
def first_and_last(seconds: float = 0.0) -> dict[str, Any]:
    """Our side's task: says when its first and its last line ran."""
    stamp_both(seconds)
    return {}


def stamp_both(seconds: float) -> None:
    """The task of both sides: it works for so many seconds."""
    stamp("first", time.time())
    time.sleep(seconds)
    stamp("last", time.time())


heavy_task = HeavyTask(
    task=first_and_last,
    title="Bench",
    summary="Says when its first and its last line ran.",
    verb="Stamping",
    form=EntryForm,
    result_template="tables/result.html",
    timeout=60,
    writable=(Path(os.environ["PROBE_LOG"]).parent,),
)


def update_and_stamp(pk: int, seconds: float = 0.0) -> None:
    """The rival's job: the same moves of the row, on the connection of its own horse, around the same two lines."""
    from datetime import timedelta

    from django.db.models import F
    from django.db.models.functions import Now

    from queueing.models import Entry

    Entry.objects.filter(pk=pk, status="waiting").update(
        status="running",
        attempt=F("attempt") + 1,
        worker_ids=[os.environ["RQ_WORKER_ID"]],
        started_at=Now(),
        last_attempted_at=Now(),
        lease_until=Now() + timedelta(seconds=30),
    )
    stamp_both(seconds)
    Entry.objects.filter(pk=pk, status="running", attempt=1).update(
        status="succeeded", finished_at=Now(), lease_until=None, result={}, progress=1.0
    )


@cache
def kept_queue() -> Queue:
    """Made once for the process, as a site would: each new one costs a connection."""
    from queueing.line.places import get_line

    return Queue("stock", connection=get_line("bench").client, serializer=JSONSerializer)


def look(job_id: str) -> None:
    """The note's way with stock RQ: the job looks whether its visitor is there, after the fork."""
    from rq import get_current_job

    job = get_current_job()
    assert job is not None
    if job.connection.exists(f"presence:{job_id}"):
        stamp("first", time.time())


def main(burst: bool) -> None:
    """A stock worker on the queue "stock", with Django set up and our modules imported before it forks."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.settings"
    import django

    django.setup()
    import redis
    from django.db import connections
    from rq import Worker

    import queueing.models  # noqa: F401  # as a site's worker has its models

    connections.close_all()
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    queue = Queue("stock", connection=client, serializer=JSONSerializer)
    Worker([queue], connection=client, serializer=JSONSerializer).work(burst=burst, logging_level="WARNING")


if __name__ == "__main__":
    import sys

    main(burst="--burst" in sys.argv)
