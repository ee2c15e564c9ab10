"""Epochs of the lines: as if a keeper had just given all rows their places."""

from functools import cache

import redis
from django.conf import settings

from queueing.keeper.reconcile import FLUSH_PAUSE
from queueing.keeper.round import Keeper
from queueing.line import epoch
from queueing.line.epoch import EpochWait
from queueing.line.keys import line_keys
from queueing.line.levers import Levers
from queueing.line.places import get_line


def begin_epochs(client: redis.Redis) -> None:
    """Every line has an epoch and is open, and no claim of this process waits for an epoch."""
    server = _run_id(client)
    with client.pipeline(transaction=False) as pipe:
        for queue in settings.QUEUEING_TASKS:
            set_epoch(pipe, queue, server)
            pipe.set(line_keys(queue).levers, Levers().as_text())
            get_line(queue).epoch_wait = EpochWait(queue)
        pipe.execute()


def set_epoch(client: redis.Redis, queue: str, server: str) -> None:
    """As if a keeper had given the rows of this line their places, on that server."""
    client.set(line_keys(queue).epoch, server)


def end_pause(keeper: Keeper) -> None:
    """The pause after a flush, which this keeper has seen, is over."""
    for queue in keeper.reconciler._restoring_since:
        keeper.reconciler._restoring_since[queue] -= FLUSH_PAUSE


@cache
def _run_id(client: redis.Redis) -> str:
    return epoch.run_id(client)
