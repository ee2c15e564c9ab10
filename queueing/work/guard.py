"""A worker's guard over its horse: time, memory, disk and processes, looked at twice a second.

The worker kills a horse that is over a limit. The kernel keeps some limits by itself (`limits.py`), and the guard then
knows from the horse's peak that memory was the cause of its death.
"""

import time
from collections.abc import Callable, Collection
from enum import StrEnum
from typing import Any

from queueing.work import horse
from queueing.work.birth import Birth, Terms
from queueing.work.limits import Limits
from queueing.work.proc import KILOBYTE, bytes_by_name, memory_of
from queueing.work.report import Stage
from queueing.work.scratch import size_of_unnamed

INTERVAL = 0.5  # seconds between two looks
LARGEST_SHARE = 0.1  # of the worker's time, that looks may take
TIMEOUT_GRACE = 1.5  # seconds after its timeout in which a task may end by RQ's alarm
STORING_GRACE = 60.0  # seconds after its timeout in which the end of a task may be stored
# A buffer that grows to the double needs three times its size, so a third of the limit may be all that fits.
SHORT_OF_MEMORY = 1 / 3


class Limit(StrEnum):
    """The limits, beside that of time, for which a worker kills its horse."""

    MEMORY = "memory"
    DISK = "disk"
    PROCESSES = "processes"


class Guard:
    """The limits of one horse, and the largest figures seen. Made before its start."""

    def __init__(self, limits: Limits, birth: Birth, *, timeout: float, children_before: Collection[int]) -> None:
        self.limits = limits
        self.scratch = birth.scratch
        self.terms = Terms(limits, birth)
        self.broken: Limit | None = None
        self.is_late = False
        self.pause = INTERVAL  # seconds until the next look
        self._timeout = timeout
        self._began = time.monotonic()
        self._before = children_before
        self._report = birth.report
        self._inherited = birth.inherited
        self._peak = 0  # bytes of one process

    def until(self, has_come: Callable[[float], bool], *, kill: Callable[[], object]) -> None:
        """Kill the horse when it is over a limit. RQ's alarm breaks this off from time to time, for the lease."""
        while not has_come(self.pause):
            if self.look():
                kill()

    def look(self) -> bool:
        """True if the horse must be killed: its time is over, or a limit is broken."""
        began = time.monotonic()
        grace = STORING_GRACE if self._report.stage >= Stage.STORING else TIMEOUT_GRACE
        self.is_late = began - self._began > self._timeout + grace
        self.broken = self.broken or self._broken_now()
        self.pause = max(INTERVAL, (time.monotonic() - began) / LARGEST_SHARE)
        return self.is_late or self.broken is not None

    def note_end(self, usage: Any) -> None:
        """The horse has ended. `usage` is that of wait4(2), and knows the peak since the last look."""
        if self._inherited:  # on Linux, where the unit is known
            self._peak = max(self._peak, usage.ru_maxrss * KILOBYTE - self._inherited["VmRSS"])

    @property
    def short_of_memory(self) -> bool:
        """True if the horse has taken so much that its next request may have been refused."""
        return self._peak >= SHORT_OF_MEMORY * self.limits.memory

    def _broken_now(self) -> Limit | None:
        memories = {pid: memory for pid in horse.family(self._before) if (memory := memory_of(pid))}
        if len(memories) > 1 + self.limits.isolated + self.limits.processes:
            return Limit.PROCESSES
        if self._is_over_memory(memories):
            return Limit.MEMORY
        named = self.scratch.size(self.limits.disk)
        return Limit.DISK if named + size_of_unnamed(memories) > self.limits.disk else None

    def _is_over_memory(self, memories: dict[int, dict[str, int]]) -> bool:
        """True if all processes of the task together hold too much memory that nobody else shares."""
        inherited = _held(self._inherited)
        self._peak = max([self._peak, *(memory["VmData"] - self.terms.inherited_data for memory in memories.values())])
        if sum(map(_held, memories.values())) - inherited <= self.limits.memory:
            return False
        # Memory that several processes share was counted for each of them; this count is exact, and slower.
        return len(memories) == 1 or sum(map(_own_share, memories)) - inherited > self.limits.memory


def _held(memory: dict[str, int]) -> int:
    return memory.get("RssAnon", 0) + memory.get("RssShmem", 0)


def _own_share(pid: int) -> int:
    """Bytes that this process holds; of a page that several processes share, its part."""
    return sum(bytes_by_name(f"/proc/{pid}/smaps_rollup", ("Pss_Anon:", "Pss_Shmem:")).values())
