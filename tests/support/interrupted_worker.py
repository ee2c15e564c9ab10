"""A worker whose stop comes at the worst moment: between a command and its answer, or where Python drops exceptions."""

import os
import signal
from contextlib import suppress
from typing import Any

from rq.exceptions import StopRequested

from queueing.work.worker import PresenceWorker
from tests.support.connections import leave_unread


class InterruptedWorker(PresenceWorker):
    """Stops by itself while it waits, having sent a command whose answer nobody has read."""

    def _claim(self, timeout: int | None) -> Any:
        leave_unread(self.connection)
        os.kill(os.getpid(), signal.SIGTERM)
        return super()._claim(timeout)


class DeafWorker(PresenceWorker):
    """Drops the exception of its signals' handler, and looks every second."""

    dequeue_timeout = 1

    def request_stop(self, signum: Any, frame: Any) -> None:
        with suppress(StopRequested):
            super().request_stop(signum, frame)
