"""After a flush: claims wait until the rows have their places back, so that nobody who joins meanwhile is served first.

A line has an epoch once the keeper has given each of its waiting rows a place. The epoch is the run id of the server:
by it the keeper notices a server that has taken over with an old copy.
"""

import logging
import time
from typing import cast

import redis
from django.conf import settings

from queueing.line import scripts
from queueing.line.keys import COUNTING, WATCH, line_keys

logger = logging.getLogger("queueing")

COUNTING_TTL = 8  # seconds; longer than a worker's heartbeat takes to come
# Seconds that the claims of a process wait for an epoch, because the keeper may be dead; and seconds from the moment at
# which a keeper saw the flush until newcomers wait for nobody. A page without JavaScript looks each 10 s.
PATIENCE = 10.0


def run_id(client: redis.Redis) -> str:
    """The identity of the server; each start of a server makes a new one."""
    return str(client.info("server")["run_id"])


def is_of_another_server(client: redis.Redis, queue: str) -> bool:
    """True if the line has the epoch of another server: this one has taken over with a copy."""
    return read_epoch(client, queue) not in {"", run_id(client)}


def read_epoch(client: redis.Redis, queue: str) -> str:
    """The epoch of a line; "" after a flush."""
    return scripts.as_text(cast("bytes", client.get(line_keys(queue).epoch) or b""))


def begin_restoring(client: redis.Redis, queue: str, *, is_other_server: bool = False) -> None:
    """End the epoch: the places may be those of another time, and claims wait. A flush takes this mark away.

    A server that has taken over with a copy has absences of another time, too. So the watch begins anew: web processes
    beat for all of their pages without delay, and nobody is dropped before they have watched for long enough.
    """
    keys = line_keys(queue)
    if is_other_server:
        client.delete(WATCH)  # of all lines
    client.set(keys.restoring, 1)
    client.set(COUNTING, 1, ex=COUNTING_TTL)
    client.delete(keys.epoch)


def keep_newcomers_back(client: redis.Redis, queue: str, last_lost: int) -> None:
    """For PATIENCE, nobody behind this place is claimed while somebody ahead is away.

    A page that polls is away from the flush until its next poll.
    """
    client.set(line_keys(queue).newest, last_lost, px=scripts.milliseconds(PATIENCE))


def is_being_restored(client: redis.Redis, queue: str) -> bool:
    """True if Redis was not emptied since a keeper began to restore the places."""
    return bool(client.exists(line_keys(queue).restoring))


def begin_epoch(client: redis.Redis, queue: str, server: str) -> bool:
    """All waiting rows of the line have a place on this server. False: it was emptied meanwhile."""
    return scripts.begin_epoch(client, line_keys(queue), server)


class EpochWait:
    """The wait of this process's claims on one line."""

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self._since: float | None = None  # when a claim found no epoch, by the monotonic clock
        self._has_ended = False  # without an epoch
        self.newcomers_wait = False  # the last claim found nobody else; see `keep_newcomers_back`

    @property
    def is_on(self) -> bool:
        """True if the last claim found no epoch, or only newcomers, and the next one may find more."""
        return self.newcomers_wait or (self._since is not None and self.has_patience())

    def has_patience(self) -> bool:
        """False for a line without rows, and when the epoch has been missing for PATIENCE."""
        if self.queue not in settings.QUEUEING_TASKS:
            return False
        return self._since is None or time.monotonic() - self._since < PATIENCE

    def note(self, *, has_epoch: bool, newcomers_wait: bool) -> None:
        """A claim has found the epoch, or none; and newcomers that wait."""
        self.newcomers_wait = newcomers_wait
        if has_epoch or self.queue not in settings.QUEUEING_TASKS:
            self._since, self._has_ended = None, False
        elif self._since is None:
            self._since = time.monotonic()
            logger.warning("%s: claims wait until the keeper has restored the places", self.queue)
        elif not self.has_patience() and not self._has_ended:
            self._has_ended = True
            logger.warning("%s: no keeper has restored the places; claims go on without", self.queue)
