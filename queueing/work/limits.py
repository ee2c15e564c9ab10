"""The limits of a running task, and how each of them is kept.

time       the worker's clock (`guard.py`); before that, RQ's alarm in the horse
memory     RLIMIT_DATA in each process of the task; the worker looks at the sum of them
CPU        RLIMIT_CPU in each process of the task
disk       `Attempt.save_file`, and the worker's look at the temporary folder. RLIMIT_FSIZE would also fall on SQLite
processes  for none at all, a filter of system calls (`confinement.py`); for some, the worker's count. RLIMIT_NPROC
           counts all processes of the user, and never those of root
"""

import resource
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from queueing import sandbox
from queueing.conf import conf
from queueing.registry import all_tasks

CPU_GRACE = 5  # seconds between SIGXCPU, which tells its reason, and the kernel's SIGKILL
OOM_SCORE = 500  # of a worker and its horses, where other processes have 0; of these, the kernel takes the largest


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one task. Memory does not count what the horse inherits from its worker."""

    memory: int  # bytes
    cpu: int  # seconds
    disk: int  # bytes of the temporary folder, and of the saved files
    processes: int  # that the task has running at one time, beside its own
    isolated: bool = False  # the task's own process is another than the horse


def limits_of(line: str) -> Limits:
    """The limits of the tasks of this line."""
    task = all_tasks().get(line)
    return Limits(
        memory=_first(task.memory_bytes if task else None, conf.TASK_MEMORY_BYTES),
        cpu=_first(task.cpu_seconds if task else None, conf.TASK_CPU_SECONDS),
        disk=_first(task.disk_bytes if task else None, conf.TASK_DISK_BYTES),
        processes=_first(task.processes if task else None, conf.TASK_PROCESSES),
        isolated=task is not None and task.isolated and sys.platform == "linux",
    )


def _first(of_task: int | None, usual: int) -> int:
    return usual if of_task is None else of_task


def prepare_worker() -> None:
    """In a worker, before its first fork: no dumps of memory, and horses go first when the system is out of it."""
    sandbox.forbid_dumps()
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))


def set_limits(limits: Limits, *, inherited: int) -> None:
    """In a new horse: the limits that the kernel keeps. Processes that the task starts inherit them.

    `inherited` is the bytes of data that the worker had at the fork: private memory that can be written.
    """
    sandbox.lower(resource.RLIMIT_CPU, limits.cpu, grace=CPU_GRACE)
    if sys.platform == "linux":
        sandbox.lower(resource.RLIMIT_DATA, inherited + limits.memory)
