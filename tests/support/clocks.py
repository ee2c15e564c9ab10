"""Settings with short durations, and hosts whose clock is wrong."""

from functools import cache
from pathlib import Path

import pytest

# For tests with real processes: the relations of the defaults, but quicker.
QUICK = {
    "HEARTBEAT_INTERVAL": 0.5,
    "PRESENCE_TTL": 1.5,
    "POLL_TTL": 11,
    "CLOSE_GRACE": 2,
    "LOST_GRACE": 4,
    "MIN_PRESENCE": 0,
    "KEEPER_INTERVAL": 0.2,
    "LEASE": 3,
}


def clock_of_host(seconds: int) -> dict[str, str]:
    """Environment of a process that takes the time to be so many seconds later (libfaketime). Durations are true."""
    if (library := _library()) is None:
        pytest.skip("libfaketime is missing; on Debian: apt-get install faketime")
    return {"LD_PRELOAD": library, "FAKETIME": f"{seconds:+}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


@cache
def _library() -> str | None:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return str(found[0]) if found else None
