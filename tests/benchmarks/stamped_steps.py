"""The steps of a start, each with a stamp when it is done. Run as a program, it is a worker of "bench" with stamps."""

import os
import sys
import time
from collections.abc import Callable
from functools import wraps
from types import ModuleType

from tests.benchmarks.stock import stamp

# By the names of their stamps, in order; each is what has been done by then.
IN_JOIN = {
    "reserved": "the place is reserved, in one round trip to Redis",
    "admitted": "the budgets are asked, in one query",
    "stored": "the file and the row are stored",
    "placed": "the unseen place is in Redis",
    "looked": "the page's look has put it into the line",
}
IN_WORKER = {
    "awake": "the idle worker is awake",
    "claimed": "it has the claim",
    "handed": "it has handed the job over to its standby",
}
IN_HORSE = {
    "given": "the standby is awake, and is the horse",
    "present": "it has looked at presence",
    "running": "the row runs",
    "confined": "the task has its rights, and no more",
}
STEPS = IN_JOIN | IN_WORKER | IN_HORSE


def stamp_joins() -> None:
    """In this process, from now on."""
    from queueing import admission, crowding, joining
    from queueing.line import presence
    from queueing.models.compiled import Insert

    _after(crowding, "reserve", "reserved")
    _after(admission, "admit", "admitted")
    _after(Insert, "execute", "stored")
    _after(joining, "place", "placed")
    _after(presence, "beat", "looked")


def stamp_starts() -> None:
    """In this worker and its horses."""
    from queueing.line import presence, queue
    from queueing.models import EntryQuerySet
    from queueing.work import confinement, standby

    _after(queue, "_await_call", "awake")
    _after(queue.LineQueue, "claim_job", "claimed")
    _after(standby.Standby, "hand_over", "handed")
    _after(standby, "await_order", "given")
    _after(presence, "is_present", "present")
    _after(EntryQuerySet, "start_first_attempt", "running")
    _after(confinement, "enter", "confined")


def _after(owner: ModuleType | type, name: str, kind: str) -> None:
    """Each call of this function leaves a stamp when it is over."""
    function: Callable[..., object] = getattr(owner, name)

    @wraps(function)
    def stamped(*args: object, **kwargs: object) -> object:
        try:
            return function(*args, **kwargs)
        finally:
            stamp(kind, time.time())

    setattr(owner, name, stamped)


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.settings"
    import django
    from django.core.management import call_command

    django.setup()
    stamp_starts()
    call_command("rqworker", sys.argv[1], verbosity=0)
