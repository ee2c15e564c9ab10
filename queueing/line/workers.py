"""Which workers serve a line. RQ's keys outlive their workers by minutes, so a worker counts by its last heartbeat."""

from datetime import UTC, datetime

from rq import worker_registration
from rq.utils import utcparse

from queueing.line.clients import connection
from queueing.line.queue import get_queue

ALIVE = 45  # seconds since a worker's last heartbeat; an idle worker gives one each 15 s


def live_workers(queue: str) -> list[str]:
    """RQ's state ("busy", "idle", ...) of each worker of this queue that gave a heartbeat lately."""
    client = connection()
    keys = sorted(worker_registration.get_keys(queue=get_queue(queue), connection=client))
    with client.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.hmget(key, "last_heartbeat", "death", "state")
        rows = pipe.execute()
    now = datetime.now(UTC)
    return [
        (state or b"").decode()
        for beat, death, state in rows
        if beat and not death and (now - utcparse(beat.decode())).total_seconds() < ALIVE
    ]
