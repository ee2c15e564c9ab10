"""The tests' settings with two more lines: "bench" says when it was entered, "scan" reads. No limit by owner."""

from tests.settings import *  # noqa: F403
from tests.settings import QUEUEING, QUEUEING_TASKS, RQ_QUEUES, TASKS

for name, module in (("bench", "tests.benchmarks.stock"), ("scan", "tests.benchmarks.stamped_scan")):
    QUEUEING_TASKS[name] = module
    RQ_QUEUES[name] = RQ_QUEUES["documents"]
    TASKS["default"]["QUEUES"].append(name)
# All joins over HTTP come from 127.0.0.1, and many from one browser; both have the limits of everybody.
NO_LIMIT = 1_000_000
QUEUEING = {
    "MAX_BYTES_PER_VISITOR": 0,
    "MAX_ENTRIES_PER_VISITOR": 0,
    "MAX_BYTES_PER_ADDRESS": 0,
    "MAX_ENTRIES_PER_ADDRESS": 0,
    "ADDRESS_BURST": NO_LIMIT,
    "ADDRESS_RATE": NO_LIMIT,
    "ADDRESS_UNSEEN": NO_LIMIT,
} | QUEUEING
