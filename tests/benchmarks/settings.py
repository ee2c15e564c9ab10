"""The tests' settings with one more line: "bench", whose task says when it was entered."""

from tests.settings import *  # noqa: F403
from tests.settings import QUEUEING_TASKS, RQ_QUEUES, TASKS

QUEUEING_TASKS["bench"] = "tests.benchmarks.stock"
RQ_QUEUES["bench"] = RQ_QUEUES["documents"]
TASKS["default"]["QUEUES"].append("bench")
