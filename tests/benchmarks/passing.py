"""Passing absent entries: from the moment a worker asks until it holds the one present entry behind them."""

import time
import uuid
from collections.abc import Iterator

from rq.queue import Queue
from rq.serializers import JSONSerializer

from queueing.line.places import get_line
from queueing.line.queue import LineQueue, get_queue
from tests.benchmarks import processes, stock, waiting
from tests.benchmarks.report import Row
from tests.support.epochs import begin_epochs
from tests.support.standing import stand

ABSENT = 50_000
RUNS = 5
# The rivals are so slow that they get shorter lines; what counts is the rate.
FORKED, HASHLESS = 100, 5_000


def rows() -> Iterator[Row]:
    ours, forked, hashless = [], [], []
    for _ in range(RUNS):
        ours.append(ABSENT / _pass())
        forked.append(FORKED / _fork_first())
        hashless.append(HASHLESS / _skip_hashless())
    measured = f"{ABSENT:,} absent entries ahead of a present one, until the worker has the present one's job"
    yield Row("absent entries passed", "/s", ours, ">=", 200_000, meaning=f"{measured}.")
    yield Row(
        "... beside stock RQ that forks before it looks", "/s", ours, ">=", 1000, "ratio", forked,
        meaning=f"The rival is a stock worker whose job looks at the presence key and returns; {FORKED} such jobs.",
    )  # fmt: skip
    yield Row(
        "... beside RQ's own path for a missing job", "/s", ours, ">=", 10, "ratio", hashless,
        meaning=f"The rival is `Queue.dequeue_any` over {HASHLESS:,} ids without a hash, ahead of one with a hash.",
    )  # fmt: skip


def _pass() -> float:
    queue = get_queue(waiting.QUEUE)
    line = queue.line
    line.client.flushall()
    begin_epochs(line.client)
    ids = [uuid.uuid4().hex for _ in range(ABSENT)]
    for start in range(0, ABSENT, 5000):
        line.client.zadd(line.keys.line, {ids[n]: n for n in range(start, start + 5000)})
    stand(line, "present", ABSENT + 1, presence=60)
    queue.worker_name = "bench"
    began = time.perf_counter()
    taken = LineQueue.dequeue_any([queue], None, line.client)
    seconds = time.perf_counter() - began
    assert taken is not None
    assert taken[0].id == "present"
    return seconds


def _fork_first() -> float:
    """Seconds for the absent ones only: from the first job's start to the present one's first line."""
    queue = _stock()
    client = queue.connection
    client.set("presence:first", 1)
    client.set("presence:last", 1)
    processes.clear_stamps()
    queue.enqueue(stock.look, "first")
    for number in range(FORKED - 1):
        queue.enqueue(stock.look, f"absent{number}")
    queue.enqueue(stock.look, "last")
    with processes.running(("-m", "tests.benchmarks.stock", "--burst")):
        processes.wait_for(lambda: len(processes.stamps("first")) == 2)
    began, ended = processes.stamps("first")
    return ended - began


def _skip_hashless() -> float:
    queue = _stock()
    queue.connection.rpush(queue.key, *(uuid.uuid4().hex for _ in range(HASHLESS)))
    job = queue.enqueue(stock.look, "present")
    began = time.perf_counter()
    taken = Queue.dequeue_any([queue], None, queue.connection, serializer=JSONSerializer)
    seconds = time.perf_counter() - began
    assert taken is not None
    assert taken[0].id == job.id
    return seconds


def _stock() -> Queue:
    client = get_line(waiting.QUEUE).client
    client.flushall()
    return Queue("stock", connection=client, serializer=JSONSerializer)
