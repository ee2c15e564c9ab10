"""A worker that waits at a gate between its claim and the start of the task."""

import os
import time
from pathlib import Path
from typing import Any

from queueing.work.worker import PresenceWorker


def pass_gate(name: str) -> None:
    """Wait while there is a file of this name in the folder GATES; a file beside it says that somebody waits."""
    gate = Path(os.environ["GATES"]) / name
    while gate.exists():
        gate.with_suffix(".reached").touch()
        time.sleep(0.02)


class GatedWorker(PresenceWorker):
    def execute_job(self, *args: Any) -> None:
        pass_gate("claimed")
        super().execute_job(*args)

    def perform_job(self, *args: Any) -> bool:
        pass_gate("forked")
        return super().perform_job(*args)
