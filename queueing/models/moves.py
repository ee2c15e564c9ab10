"""The parts that the verbs that move a row share."""

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models.functions import Now

from queueing import site_time
from queueing.conf import conf
from queueing.logs import about
from queueing.states import Reason, Status

if TYPE_CHECKING:
    from queueing.models.entry import Entry

logger = logging.getLogger("queueing")

# The distance between the scores of two priorities, far above any id.
PRIORITY_STEP = 2**40


def end_of_priority(priority: int) -> int:
    """The score behind all entries of this priority, those to come included."""
    return (1 - priority) * PRIORITY_STEP


# The content of a row, as it is after `EntryQuerySet.erase`.
BARE: dict[str, Any] = {
    "args": [],
    "kwargs": {},
    "input_name": "",
    "input_type": "",
    "traceparent": "",
    "message": "",
    "result": None,
    "files_size": 0,
    "error_class": "",
    "traceback": "",
}


def log_move(entry: "Entry", origin: Status) -> None:
    status, reason = Status(entry.status), Reason(entry.reason)
    fields = about(entry, event="move", origin=str(origin))
    logger.info("entry %s attempt %s: %s -> %s %s", entry.code, entry.attempt, origin, status, reason, extra=fields)


def clean(text: str) -> str:
    """The text without NUL characters, which PostgreSQL refuses."""
    return text.replace("\0", "")


def start_values(worker_ids: Any, now: Any, lease: Any) -> dict[str, Any]:
    """The values that the start of a first attempt writes; the lease is a time span."""
    return {
        "status": Status.RUNNING,
        "attempt": 1,
        "worker_ids": worker_ids,
        "started_at": now,
        "last_attempted_at": now,
        "lease_until": Now() + lease,
        "progress": None,
        "message": "",
        "reason": Reason.NONE,
        "not_before": None,
    }


def run_time(entry: "Entry", until: datetime) -> timedelta:
    """Time that the running attempt has kept its worker busy. Not below zero: two hosts' clocks may differ."""
    return max(until - (entry.last_attempted_at or until), timedelta())


def lost_time(entry: "Entry") -> timedelta:
    """The time of all attempts whose workers died, with the running one, whose worker has just been found dead."""
    return (entry.lost_time or timedelta()) + run_time(entry, site_time.now())


def note_once(entry: "Entry", column: str) -> bool:
    """Write the present time into a column that is empty. False: it was not empty."""
    now = site_time.now()
    empty = type(entry).objects.filter(pk=entry.pk, **{column: None})
    written = bool(empty.update(**{column: now}))
    setattr(entry, column, getattr(entry, column) or now)
    return written


def time_in(seconds: float) -> Any:
    """The time in so many seconds, by the database's clock."""
    return Now() + timedelta(seconds=seconds)


def lease_time() -> timedelta:
    """The time that a lease lasts."""
    return timedelta(seconds=conf.LEASE)


def lease_end() -> Any:
    return Now() + lease_time()


def input_end() -> Any:
    """The time until which the input of an entry that ends now is kept, by the database's clock."""
    return time_in(min(conf.INPUT_TTL, conf.RESULT_TTL))
