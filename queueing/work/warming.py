"""Warm tasks: what a heavy task loads once in a process that forks, for all of the forks.

A worker warms up the tasks of its lines before it forks the first horse. A pool does so before it forks its workers,
which then share one copy of the models.
"""

import logging
from collections.abc import Iterable

from queueing.registry import all_tasks

logger = logging.getLogger("queueing")

_tried: set[str] = set()  # lines; a fork has what its parent has loaded


def warm_up(lines: Iterable[str]) -> None:
    """Warm up the tasks of these lines, each once. A failure is logged; the job loads the same, and tells it again."""
    for name in lines:
        task = all_tasks().get(name)
        if task is None or task.warm_up is None or name in _tried:
            continue
        _tried.add(name)
        try:
            task.warm_up()
        except KeyboardInterrupt:
            raise
        except BaseException:  # panics of libraries are no Exception
            logger.exception("the task %s did not warm up; each of its runs loads everything by itself", name)
