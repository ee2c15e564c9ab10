"""The blame for a run without a result, in two tables: by what the task raised, and by what its horse died of.

The horse (`runner.py`) reads the first, its worker (`lease.py`) the second. The fault of the input fails the entry: it
would end so again. The machine's fault gives the entry back to its place. The reasons by blame are in `states.BLAME`.
"""

import os
import signal
import traceback
from typing import NamedTuple

from queueing.exceptions import UnusableInput
from queueing.line.jobs import TaskTimeout
from queueing.models import Entry
from queueing.states import Reason

_FOR_STAFF = "The people who run this site can see the details."
ERROR_SENTENCE = f"Something went wrong while working on this. {_FOR_STAFF}"
CRASHED_SENTENCE = f"Working on this input crashed the program. {_FOR_STAFF}"
MEMORY_SENTENCE = f"Working on this input took more memory than there is. {_FOR_STAFF}"
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
    # All else, with sys.exit, and with libraries whose panics are no Exception.
    BaseException: Verdict(Reason.ERROR, ERROR_SENTENCE),
}

# By the signal that ended the horse: a limit of CPU seconds, or a fault in native code that works on the input. A
# failed check in such code raises SIGABRT, SIGTRAP or SIGILL, according to its compiler. Every other death (SIGKILL by
# the system, for example) is the machine's doing.
BY_SIGNAL = dict.fromkeys(
    (
        signal.SIGXCPU,
        signal.SIGABRT,
        signal.SIGTRAP,
        signal.SIGILL,
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGSYS,
    ),
    Verdict(Reason.CRASHED, CRASHED_SENTENCE),
)


def of_exception(error: BaseException) -> Verdict:
    """The verdict on an exception that the task raised."""
    verdict = next(verdict for kind, verdict in BY_EXCEPTION.items() if isinstance(error, kind))
    kind = type(error)
    return verdict._replace(
        sentence=verdict.sentence or str(error),
        error_class=f"{kind.__module__}.{kind.__qualname__}",
        traceback="".join(traceback.format_exception(error)),
    )


def of_death(status: int | None, *, timed_out: bool) -> Verdict | None:
    """The verdict on a horse that ended without a result, from its status of wait(2). None: the machine's doing."""
    if timed_out:  # the worker itself has killed the horse
        return BY_EXCEPTION[TaskTimeout]
    if status is None or not os.WIFSIGNALED(status):
        return None
    number = os.WTERMSIG(status)
    if number not in BY_SIGNAL:
        return None
    name = signal.Signals(number).name
    return BY_SIGNAL[signal.Signals(number)]._replace(error_class=name, traceback=f"The horse died of {name}.")
