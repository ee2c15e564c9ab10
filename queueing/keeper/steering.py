"""The keeper's part in the levers: opens lines in time, reports drained ones, mends copies, counts what runs."""

from collections.abc import Iterable, Sequence
from itertools import batched
from typing import cast

import redis
from django.conf import settings

from queueing import steering
from queueing.line import levers, scripts
from queueing.line.keys import line_keys
from queueing.line.places import Line as Places
from queueing.models import Entry, Line
from queueing.models.line import initial_state

BATCH = 1000  # ids in one call of the script


def look_after(client: redis.Redis, queues: Sequence[str] | None = None) -> set[str]:
    """Make the copies of these lines what their rows say, and do what staff asked for by a time.

    Without names, of all lines. Returns the names of those that have a limit of running entries. Copies are read before
    the rows: see `levers.publish`.
    """
    queues = list(settings.QUEUEING_TASKS) if queues is None else queues
    copies = cast("list[bytes | None]", client.mget([line_keys(queue).levers for queue in queues]) if queues else [])
    rows = {line.queue: line for line in Line.objects.with_due()}
    for queue, copy in zip(queues, copies, strict=True):
        line = rows.get(queue) or Line(queue=queue, state=initial_state(queue))
        if _do_by_time(line) or copy != line.levers.as_text():
            levers.publish(client, queue)
    return {queue for queue in queues if queue in rows and rows[queue].max_running is not None}


def _do_by_time(line: Line) -> bool:
    """True if the row has changed."""
    is_due = getattr(line, "is_due", False) and steering.open_due(line.queue)
    return is_due or (line.levers.draining and steering.note_empty(line))


def count_running(line: Places) -> int:
    """Make the entries that count as running those of the rows.

    Redis comes first: an entry that starts or ends meanwhile is put right by its own script.
    """
    seen = dict(cast("Iterable[tuple[bytes, float]]", line.client.zrange(line.keys.running, 0, -1, withscores=True)))
    counted = {scripts.as_text(job_id): b"%d" % ms for job_id, ms in seen.items()}
    rows = Entry.objects.running().filter(queue=line.name).values_list("code", flat=True)
    running = {code.hex for code in rows}
    over = [(job_id, ms) for job_id, ms in counted.items() if job_id not in running]
    for batch in batched(over, BATCH):
        scripts.count_running(line.client, line.keys, dict(batch), [])
    for ids in batched(running - counted.keys(), BATCH):
        scripts.count_running(line.client, line.keys, {}, ids)
    return len(over)
