"""The live workers of a line.

RQ's own keys outlive their workers by minutes, and RQ's heartbeat is a time by the worker's clock. So each worker has
a key in Redis with a short life, and counts while this key lives.
"""

import redis
from rq import worker_registration

from queueing.line.clients import connection
from queueing.line.keys import WORKER
from queueing.line.queue import get_queue

WORKER_HEARTBEAT_INTERVAL = 5  # seconds between two heartbeats of a worker, idle or busy
WORKER_TTL = 16  # seconds after the last heartbeat; longer than Redis may hang without a word on missing workers


def note_heartbeat(pipe: redis.client.Pipeline, name: str) -> None:
    """Renew the key by which this worker counts as alive."""
    pipe.set(WORKER.format(name=name), 1, ex=WORKER_TTL)


def live_workers(queue: str) -> list[str]:
    """RQ's state ("busy", "idle", ...) of each worker of this queue that gave a heartbeat lately and has not ended."""
    client = connection()
    keys = sorted(worker_registration.get_keys(queue=get_queue(queue), connection=client))
    with client.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.exists(WORKER.format(name=key.removeprefix("rq:worker:")))
            pipe.hmget(key, "death", "state")
        replies = pipe.execute()
    states = zip(replies[::2], replies[1::2], strict=True)
    return [(state or b"").decode() for is_alive, (death, state) in states if is_alive and not death]
