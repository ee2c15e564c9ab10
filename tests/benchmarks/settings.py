"""The tests' settings with one more line: "bench", whose task says when it was entered."""

from tests.settings import *  # noqa: F403
from tests.settings import QUEUEING, QUEUEING_TASKS, RQ_QUEUES, TASKS

QUEUEING_TASKS["bench"] = "tests.benchmarks.stock"
RQ_QUEUES["bench"] = RQ_QUEUES["documents"]
TASKS["default"]["QUEUES"].append("bench")
# Here everybody comes from one address.
QUEUEING = {"MAX_BYTES_PER_ADDRESS": 0, "MAX_ENTRIES_PER_ADDRESS": 0} | QUEUEING
