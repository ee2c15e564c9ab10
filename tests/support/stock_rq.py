"""Stock RQ, as the contract with it asks."""

from collections.abc import Callable
from typing import Any

from rq.job import Job
from rq.queue import Queue


def enqueue(queue: Queue, **options: Any) -> Job:
    """Enqueue a foreign job, as stock RQ does it."""
    return queue.enqueue("tests.support.foreign.note", "a label", job_id="foreign", **options)


def raised_by(function: Callable[[], Any]) -> type[Exception] | None:
    """The class of the exception that the function raises; None when it raises nothing."""
    try:
        function()
    except Exception as error:  # noqa: BLE001  # the error is the answer
        return type(error)
    return None
