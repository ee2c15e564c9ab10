"""A worker on a machine that has no room for one more process, for as long as the file CROWD is there."""

import errno
import os
from pathlib import Path
from typing import Any

from queueing.work.standby import Standby
from queueing.work.worker import PresenceWorker


class CrowdedWorker(PresenceWorker):
    """Its forks fail as fork(2) does then."""

    def _fork_standby(self, *arguments: Any) -> Standby:
        if Path(os.environ["CROWD"]).exists():
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return super()._fork_standby(*arguments)
