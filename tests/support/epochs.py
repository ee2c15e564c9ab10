"""Epochs of the lines: as if a keeper had just given all rows their places."""

import redis
from django.conf import settings

from queueing.keeper.reconcile import FLUSH_PAUSE
from queueing.keeper.round import Keeper
from queueing.line.keys import line_keys
from queueing.line.levers import Levers
from queueing.testing import beginning


def begin_epochs(client: redis.Redis) -> None:
    """Every line has an epoch and is open, and no claim of this process waits for an epoch."""
    beginning.begin_epochs(client)
    open_lines(client)


def open_lines(client: redis.Redis) -> None:
    """Every line is open, whatever its row says."""
    client.mset({line_keys(queue).levers: Levers().as_text() for queue in settings.QUEUEING_TASKS})


def set_epoch(client: redis.Redis, queue: str, server: str) -> None:
    """As if a keeper had given the rows of this line their places, on that server."""
    client.set(line_keys(queue).epoch, server)


def end_pause(keeper: Keeper) -> None:
    """The pause after a flush, which this keeper has seen, is over."""
    for queue in keeper.reconciler._restoring_since:
        keeper.reconciler._restoring_since[queue] -= FLUSH_PAUSE
