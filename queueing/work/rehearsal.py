"""The way of a horse, gone before anybody waits: in the worker before its first fork, and in each standby."""

from collections.abc import Callable, Collection, Iterator
from functools import partial

from django.db import connection

from queueing import events, site_time
from queueing.line import presence
from queueing.line.places import get_line
from queueing.models import Entry
from queueing.registry import HeavyTask, all_tasks
from queueing.results import result_of, task_of
from queueing.states import Status
from queueing.storage import folders
from queueing.work import confinement
from queueing.work.attempt import Attempt


def warm_up(queues: Collection[str] | None = None) -> None:
    """Before the first fork, run the start path of these lines, or of all, once with a made-up entry.

    Every horse inherits the imported modules, compiled queries and caches. Without the warm-up, each horse would spend
    a third of the time from the claim to the first line of the task on them.
    """
    folders.warm_up()
    for heavy_task in _tasks_of(queues):
        made_up = _made_up(heavy_task)
        presence.is_present(made_up.queue, made_up.job_id)
        Entry.objects.start_first_attempt(made_up.job_id, "")
        Entry.objects.of_job(made_up.job_id)
        result_of(made_up)
        made_up.succeed({})
        events.publish(made_up.code)


def _made_up(heavy_task: HeavyTask) -> Entry:
    """A running entry of this task that is none."""
    task = heavy_task.task
    return Entry(pk=0, queue=heavy_task.name, task_path=task.module_path, backend=task.backend, status=Status.RUNNING)


def _tasks_of(queues: Collection[str] | None) -> list[HeavyTask]:
    return [task for name, task in all_tasks().items() if queues is None or name in queues]


def steps(queues: Collection[str] | None = None) -> Iterator[Callable[[], object]]:
    """For a standby of these lines: the steps of a horse before and after its task, for an entry that is none.

    They open connections, whose first statements take twice as long as the next. And a fork shares its memory with its
    worker until it writes to it; a start writes to some thousand pages. So the copies are made here, before anybody
    waits for them. A step may raise DATABASE_ERRORS or RedisError.
    """
    heavy_task = (_tasks_of(queues) or _tasks_of(None))[0]
    made_up = _made_up(heavy_task)
    made_up.worker_ids, made_up.attempt = [""], 1
    yield partial(presence.is_present, made_up.queue, made_up.job_id)
    yield connection.ensure_connection
    yield site_time.timestamp  # asks, if it is time to
    yield partial(Entry.objects.of_job, made_up.job_id)
    yield partial(Entry.objects.start_first_attempt, made_up.job_id, "")
    yield partial(Attempt, made_up)
    yield partial(task_of, made_up)
    yield partial(result_of, made_up)
    yield partial(confinement.rehearse, made_up)
    yield partial(made_up.succeed, {})
    yield partial(get_line(made_up.queue).remove_but_job, made_up.job_id)
    yield partial(events.publish, made_up.code)
