"""Settings with short durations, and hosts whose clock is wrong, or is set while they run."""

import shutil
import struct
import subprocess
import sys
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
        self._file.write_bytes(struct.pack("i", 0))

    def set(self, seconds: int) -> None:
        """Set the clock to so many seconds from the true time."""
        with self._file.open("r+b") as file:  # in its place: processes have it in their memory
            file.write(struct.pack("i", seconds))

    @property
    def variables(self) -> dict[str, str]:
        return preloaded() | {"HOST_CLOCK": str(self._file)}


def can_set_clocks() -> bool:
    """True if `host_clock.c` can be compiled here: on Linux, with a C compiler and the headers of libc."""
    return bool(preloaded())


@cache
def preloaded() -> dict[str, str]:
    """The variable by which a process loads `host_clock.c`, which is compiled first. Empty if that cannot be done."""
    if sys.platform != "linux" or shutil.which("cc") is None:
        return {}
    from tests.support.servers import FOLDER  # it starts servers

    library, source = FOLDER / "host_clock.so", Path(__file__).with_name("host_clock.c")
    command = ["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source)]
    is_made = subprocess.run(command, capture_output=True, check=False).returncode == 0
    return {"LD_PRELOAD": str(library)} if is_made else {}


@cache
def _library() -> str | None:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return str(found[0]) if found else None
