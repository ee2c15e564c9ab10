"""A sleep that works below libfaketime.

Python sleeps until a moment of the monotonic clock. libfaketime takes that for a moment of the clock that it fakes, so
the kernel refuses it (EINVAL). Waiting for nothing with `select` takes the same time.
"""

import os
import select
import time
from typing import SupportsIndex


def mend() -> None:
    """Replace `time.sleep` in this process, if its clock is one of libfaketime's."""
    if "libfaketime" in os.environ.get("LD_PRELOAD", ""):
        time.sleep = _sleep


def _sleep(seconds: float | SupportsIndex, /) -> None:
    if isinstance(seconds, SupportsIndex):
        seconds = seconds.__index__()
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)
