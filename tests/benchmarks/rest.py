"""The same short sleep as a task of ours and as a job of stock RQ; it notes when it began, ended, and on which worker.

As a program, a stock worker of RQ that serves the queue "stock", with Django set up before it forks.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from django.tasks import task


def rest(log: str, number: int, seconds: float) -> None:
    began = time.time()
    time.sleep(seconds)
    # The parent of a work horse is its worker. One write of one line: two horses never mix theirs.
    with Path(log).open("a") as file:
        file.write(f"{number} {began} {time.time()} {os.getppid()}\n")


@task(queue_name="probe")
def rest_task(log: str, number: int, seconds: float) -> None:
    rest(log, number, seconds)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the sleep: whose, from when to when, and on which worker."""

    number: int
    began: float  # its first line
    ended: float
    worker: int


def read_runs(log: Path) -> list[Run]:
    lines = log.read_text().splitlines() if log.exists() else []
    fields = [line.split() for line in lines]
    return [Run(int(number), float(began), float(ended), int(worker)) for number, began, ended, worker in fields]


def work() -> None:
    import django
    from redis import Redis
    from rq import Queue, Worker

    django.setup()
    connection = Redis.from_url(os.environ["REDIS_URL"])
    Worker([Queue("stock", connection=connection)], connection=connection).work(logging_level="WARNING")


if __name__ == "__main__":
    work()
