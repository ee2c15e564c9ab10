"""The tests' settings with the line "deeds", for web processes whose checkers are to misbehave."""

from tests.settings import *  # noqa: F403
from tests.settings import QUEUEING_TASKS, RQ_QUEUES, TASKS

QUEUEING_TASKS["deeds"] = "tests.support.deed_task"
RQ_QUEUES["deeds"] = RQ_QUEUES["documents"]
TASKS["default"]["QUEUES"].append("deeds")
