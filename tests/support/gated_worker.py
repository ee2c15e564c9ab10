"""A worker that waits at gates on the way of a job: before the hand-over, at the start, RQ's books, and the end."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from queueing.work import runner
from queueing.work.worker import PresenceWorker


def pass_gate(name: str) -> None:
    """Wait while there is a file of this name in the folder GATES; a file beside it says that somebody waits."""
    gate = Path(os.environ["GATES"]) / name
    while gate.exists():
        with suppress(PermissionError):  # a horse may not write here any more
            gate.with_suffix(".reached").touch()
        time.sleep(0.02)


def _fail(job_id: str, queue: str = "") -> None:
    raise RuntimeError(f"the runner of {job_id} fails in {queue}")


class GatedWorker(PresenceWorker):
    def execute_job(self, *args: Any) -> None:
        pass_gate("claimed")
        super().execute_job(*args)

    def open_books(self) -> None:
        """In the worker, while it counts as idle for the last time."""
        pass_gate("opened")
        super().open_books()

    def perform_job(self, *args: Any) -> bool:
        """In the horse, before its last look."""
        pass_gate("forked")
        if (Path(os.environ["GATES"]) / "fails").exists():
            runner.run_entry = _fail
        return super().perform_job(*args)

    def write_start(self, *args: Any) -> None:
        """In the worker, after the hand-over."""
        pass_gate("books")
        super().write_start(*args)

    def handle_job_success(self, *args: Any, **kwargs: Any) -> None:
        """In the horse, which says here that it is over."""
        super().handle_job_success(*args, **kwargs)
        pass_gate("over")
