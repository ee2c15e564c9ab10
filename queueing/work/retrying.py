"""Whether a task that raised an exception is tried again, and when."""

from queueing.exceptions import RaisedInside
from queueing.models import Entry
from queueing.registry import HeavyTask, all_tasks


def pause_after(entry: Entry, error: BaseException) -> float | None:
    """Seconds until the next try after this exception of the task. None: there is none."""
    heavy_task = task_with_retries(entry)
    if heavy_task is None or entry.retries + 1 >= heavy_task.attempts:
        return None
    # An isolated process has asked this of its own exception, of which only texts come here.
    wanted = error.is_retried if isinstance(error, RaisedInside) else isinstance(error, heavy_task.retry_on)
    return heavy_task.pause_before_try(entry.retries + 2) if wanted else None


def task_with_retries(entry: Entry) -> HeavyTask | None:
    """The heavy task of an entry. None for another function in its line: nothing says that it may run twice."""
    heavy_task = all_tasks().get(entry.queue)
    return heavy_task if heavy_task and heavy_task.task.module_path == entry.task_path else None
