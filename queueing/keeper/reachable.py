"""The servers of the lines, as the rounds find them: one that is away keeps the lines of the others from nothing."""

import logging
import time
from collections.abc import Callable, Collection

from queueing.line import clients
from queueing.line.clients import RedisError
from queueing.line.servers import Server, every_server

logger = logging.getLogger("queueing")

# With several servers: seconds in which one has to answer the first question of a round, and seconds for which it is
# left alone if it does not. A server that hangs would take seconds of each round otherwise.
PATIENCE, PAUSE = 0.5, 2.0


class Reachable:
    """The servers, and what the rounds remember of those that are away."""

    def __init__(self) -> None:
        self._errors: dict[Server, RedisError] = {}  # of those that are away
        self._next_look: dict[Server, float] = {}  # at these, by the monotonic clock

    def go_through(self, step: Callable[[Server], object]) -> None:
        """Take the step with each server that answers, and with that of REDIS_URL. Raises RedisError if none does."""
        found = every_server()
        for server in found:
            if time.monotonic() >= self._next_look.get(server, 0.0):
                self._take(step, server, is_alone=len(found) == 1)
        if all(server in self._errors for server in found):
            raise self._errors[found[0]]

    def lines(self, queues: Collection[str]) -> list[str]:
        """Those of the lines whose server is not known to be away."""
        away = {queue for server in self._errors for queue in server.lines}
        return [queue for queue in queues if queue not in away]

    def check_shared(self) -> None:
        """Raises RedisError if the server of REDIS_URL is known to be away."""
        for server, error in self._errors.items():
            if server.client is clients.connection():
                raise error

    def _take(self, step: Callable[[Server], object], server: Server, *, is_alone: bool) -> None:
        try:
            if not is_alone:
                clients.patient_for(PATIENCE, *server.lines[:1]).ping()
            step(server)
        except RedisError as error:
            if server not in self._errors and not is_alone:
                logger.warning("keeper: the Redis of %s is away (%s)", _named(server), error)
            self._errors[server] = error
            self._next_look[server] = 0.0 if is_alone else time.monotonic() + PAUSE
        else:
            if self._errors.pop(server, None) and not is_alone:
                logger.warning("keeper: the Redis of %s answers again", _named(server))


def _named(server: Server) -> str:
    return ", ".join(server.lines) or "REDIS_URL"
