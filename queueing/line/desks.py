"""All that workers tell about themselves, for staff."""

from typing import NamedTuple

from rq import worker_registration

from queueing.line.clients import connection
from queueing.line.keys import RUNS, WORKER, line_keys, presence_key
from queueing.line.scripts import as_text
from queueing.line.workers import WORKER_TTL

FIELDS = ("hostname", "pid", "state", "order", "queues", "quiet", "death", "shutdown_requested_date")
HEAD = 50  # ids of a line that are looked at for the next one


class Desk(NamedTuple):
    """One live worker."""

    name: str
    host: str
    pid: str
    state: str  # RQ's word: "busy", "idle", "suspended"
    lines: tuple[str, ...]  # in the order in which it asks them next
    is_quiet: bool
    is_stopping: bool
    seconds: float  # since its last sign of life
    ends: dict[str, int]  # of its runs, by status


def desks() -> list[Desk]:
    """The live workers, by name. Raises RedisError."""
    client = connection()
    names = sorted(key.removeprefix("rq:worker:") for key in worker_registration.get_keys(connection=client))
    with client.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.pttl(WORKER.format(name=name))
            pipe.hmget(f"rq:worker:{name}", *FIELDS)
            pipe.hgetall(RUNS.format(name=name))
        replies = pipe.execute(raise_on_error=False)
    found = []
    for index, name in enumerate(names):
        life, values, ends = replies[3 * index : 3 * index + 3]
        if isinstance(life, Exception) or isinstance(values, Exception) or life <= 0:
            continue  # dead, or of another program
        host, pid, state, order, queues, quiet, death, stopping = (as_text(value or b"") for value in values)
        if death:
            continue
        runs = {} if isinstance(ends, Exception) else {as_text(status): _number(n) for status, n in ends.items()}
        lines = tuple((order or queues).split(","))
        since = max(0.0, WORKER_TTL - life / 1000)
        found.append(Desk(name, host, pid, state, lines, bool(quiet), bool(stopping), since, runs))
    return found


def first_present(queues: set[str]) -> dict[str, str]:
    """The job id that each of these lines would hand out now. Raises RedisError."""
    client, names = connection(), sorted(queues)
    with client.pipeline(transaction=False) as pipe:
        for queue in names:
            pipe.zrange(line_keys(queue).line, 0, HEAD - 1)
        heads = [[as_text(job_id) for job_id in ids] for ids in pipe.execute()]
    first = {}
    for queue, ids in zip(names, heads, strict=True):
        present = client.mget([presence_key(job_id) for job_id in ids]) if ids else []
        if job_id := next((job_id for job_id, since in zip(ids, present, strict=True) if since), None):
            first[queue] = job_id
    return first


def _number(value: bytes) -> int:
    return int(value) if value.isdigit() else 0
