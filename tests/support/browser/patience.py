"""Clocks for tests that look at what happens within a grace: on no machine does one run out by itself."""

from queueing.line.places import Line
from queueing.models import Entry
from queueing.testing.presence import watch_since
from tests.support.clocks import QUICK

# LOST_GRACE is as in production, so that pages count down from the real time.
LONG_GRACES = QUICK | {"PRESENCE_TTL": 3, "CLOSE_GRACE": 60, "LOST_GRACE": 120}
# Both graces as in production, for tests of what may not outlast them.
REAL_GRACES = LONG_GRACES | {"CLOSE_GRACE": 10}


def pass_deadline(line: Line, *held: Entry) -> None:
    """The grace of these held entries is over, and web processes have been watching for all of it."""
    watch_since(1000)
    line.client.zadd(line.keys.due, {entry.job_id: 1 for entry in held}, xx=True)
