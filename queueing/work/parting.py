"""A horse that has settled its entry: the worker goes on to the next one while it ends."""

import os
import signal
from contextlib import suppress
from typing import NamedTuple

from queueing.work import horse
from queueing.work.report import Listener
from queueing.work.scratch import Scratch


class Parted(NamedTuple):
    """A horse whose entry is settled, and that is about to end."""

    listener: Listener
    scratch: Scratch

    def end(self) -> None:
        """Wait for its end, and delete its folder."""
        pid = self.listener.pid
        self.listener.release()
        with horse.sign_of(pid) as has_ended:
            if not has_ended(horse.KILL_PATIENCE):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
        self.listener.channel.close()
        self.scratch.delete()
