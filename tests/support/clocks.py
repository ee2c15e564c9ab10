"""Settings with short durations, and hosts whose clock is wrong, or is set while they run."""

import os
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


# Durations are true. Without the second one, a thread of Python that waits for the interpreter spins.
OF_DURATIONS = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0"}


def clock_of_host(seconds: int) -> dict[str, str]:
    """Environment of a process that takes the time to be so many seconds later (libfaketime). Durations are true."""
    if (library := _library()) is None:
        pytest.skip("libfaketime is missing; on Debian: apt-get install faketime")
    return OF_DURATIONS | {"LD_PRELOAD": library, "FAKETIME": f"{seconds:+}s"}


class HostClock:
    """The clock of one host. It can be set while the processes of that host run; durations stay true.

    A process has this clock if it starts with `variables`; those of `preloaded` are the same for all hosts.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    def set(self, seconds: int) -> None:
        """Set the clock to so many seconds from the true time."""
        written = self._file.with_suffix(".new")
        written.write_text(f"{seconds:+}s\n")
        os.replace(written, self._file)  # noqa: PTH105  # no process reads a half of it

    @property
    def variables(self) -> dict[str, str]:
        return preloaded() | {"FAKETIME_TIMESTAMP_FILE": str(self._file)}


def can_set_clocks() -> bool:
    """True if libfaketime is here."""
    return _library() is not None


def preloaded() -> dict[str, str]:
    """The variables that libfaketime reads when a process loads it. It reads the file at each look at the clock.

    The times of files are true: what hosts share is on a disk with a clock of its own.
    """
    library = _library()
    assert library, "libfaketime is missing"
    return OF_DURATIONS | {"LD_PRELOAD": library, "FAKETIME_NO_CACHE": "1", "NO_FAKE_STAT": "1"}


@cache
def _library() -> str | None:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return str(found[0]) if found else None
