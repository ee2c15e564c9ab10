"""The blame for a run without a result, in three tables: by what the task raised, and by what its horse died of.

The horse (`runner.py`) reads the first, its worker the other two. The fault of the input fails the entry: it
would end so again. The machine's fault gives the entry back to its place. The reasons by blame are in `states.BLAME`.
"""

import os
import signal
import traceback
from typing import NamedTuple

from queueing.exceptions import FilesTooLarge, RaisedInside, UnusableInput, VisitorLeft
from queueing.line.jobs import TaskTimeout
from queueing.models import Entry
from queueing.states import FAILED_BY_US, Reason
from queueing.work.guard import Limit

_FOR_STAFF = "The people who run this site can see the details."
ERROR_SENTENCE = f"Something went wrong while working on this. {_FOR_STAFF}"
CRASHED_SENTENCE = f"Working on this input crashed the program. {_FOR_STAFF}"
MEMORY_SENTENCE = "Working on this input needs more memory than one task may have, so it was stopped."
CPU_SENTENCE = "Working on this input needs more computing time than one task may have, so it was stopped."
DISK_SENTENCE = "Working on this input needs more room on the disk than one task may have, so it was stopped."
PROCESSES_SENTENCE = "Working on this input needs more processes than one task may have, so it was stopped."
TIMEOUT_SENTENCE = "This took longer than the task may run, and was stopped."


class Verdict(NamedTuple):
    """The failure of a run."""

    reason: Reason
    sentence: str  # for the visitor; the rest is for staff
    error_class: str = ""
    traceback: str = ""

    def fail(self, entry: Entry) -> bool:
        """Fail the row. False: another process was first."""
        return entry.fail(self.reason, self.sentence, error_class=self.error_class, traceback=self.traceback)


# By the exception of the task; the first class that fits. UnusableInput brings its own sentence.
BY_EXCEPTION: dict[type[BaseException], Verdict] = {
    UnusableInput: Verdict(Reason.UNUSABLE, ""),
    TaskTimeout: Verdict(Reason.TIMEOUT, TIMEOUT_SENTENCE),
    MemoryError: Verdict(Reason.CRASHED, MEMORY_SENTENCE),
    FilesTooLarge: Verdict(Reason.CRASHED, DISK_SENTENCE),
    # All else, with sys.exit, and with libraries whose panics are no Exception.
    BaseException: Verdict(Reason.ERROR, ERROR_SENTENCE),
}
# Exceptions that end the entry, also where the task names them in `retry_on`.
FINAL: tuple[type[BaseException], ...] = (
    VisitorLeft,
    *(kind for kind, verdict in BY_EXCEPTION.items() if verdict.reason not in FAILED_BY_US),
)

# By the limit for which the worker killed the horse; for its time, the first table has the verdict.
BY_LIMIT = {
    Limit.MEMORY: Verdict(Reason.CRASHED, MEMORY_SENTENCE),
    Limit.DISK: Verdict(Reason.CRASHED, DISK_SENTENCE),
    Limit.PROCESSES: Verdict(Reason.CRASHED, PROCESSES_SENTENCE),
}

# By the signal that ended the horse: the limit of CPU seconds, or a fault in native code that works on the input. A
# failed check in such code raises SIGABRT, SIGTRAP or SIGILL, according to its compiler; so does a request for memory
# that was refused. Every other death (SIGKILL by the system, for example) is the machine's doing.
_CRASHED = Verdict(Reason.CRASHED, CRASHED_SENTENCE)
BY_SIGNAL = {
    signal.SIGXCPU: Verdict(Reason.CRASHED, CPU_SENTENCE),
    signal.SIGABRT: _CRASHED,
    signal.SIGTRAP: _CRASHED,
    signal.SIGILL: _CRASHED,
    signal.SIGSEGV: _CRASHED,
    signal.SIGBUS: _CRASHED,
    signal.SIGFPE: _CRASHED,
    signal.SIGSYS: _CRASHED,
}


def of_exception(error: BaseException) -> Verdict:
    """The verdict on an exception that the task raised."""
    verdict = next(verdict for kind, verdict in BY_EXCEPTION.items() if isinstance(error, kind))
    kind = type(error)
    name = error.error_class if isinstance(error, RaisedInside) else f"{kind.__module__}.{kind.__qualname__}"
    return verdict._replace(
        sentence=verdict.sentence or str(error),
        error_class=name,
        traceback="".join(traceback.format_exception(error)),
    )


def of_death(
    status: int | None, *, timed_out: bool, broken: Limit | None = None, short_of_memory: bool = False
) -> Verdict | None:
    """The verdict on a horse that ended without a result, from its status of wait(2). None: the machine's doing.

    `broken` is the limit for which the worker killed it. A crash of a horse that is short of memory is that limit, too.
    """
    if timed_out:  # the worker itself has killed the horse
        return BY_EXCEPTION[TaskTimeout]
    if broken is not None:
        return BY_LIMIT[broken]._replace(error_class="SIGKILL", traceback=f"The horse was over its limit of {broken}.")
    if status is None or not os.WIFSIGNALED(status) or os.WTERMSIG(status) not in BY_SIGNAL:
        return None
    number = signal.Signals(os.WTERMSIG(status))
    verdict = BY_SIGNAL[number]._replace(error_class=number.name, traceback=f"The horse died of {number.name}.")
    if short_of_memory and verdict.sentence == CRASHED_SENTENCE:
        return verdict._replace(sentence=MEMORY_SENTENCE, traceback=f"{verdict.traceback} It had much memory.")
    return verdict
