"""The clients of a storage of objects. To make one takes a tenth of a second, so a process makes each once."""

import logging
import os
import threading
import time
import weakref
from typing import Any, NamedTuple

from botocore.config import Config

logger = logging.getLogger("queueing")

POOL = 50  # connections that a client keeps


class Patience(NamedTuple):
    """The seconds that a call may take at each of its steps: to connect, and until the next bytes are there."""

    connect: float
    read: float
    attempts: int


LOOK = Patience(0.5, 0.8, 1)  # for /readyz, which answers within 1.5 s
QUICK = Patience(1.0, 2.5, 2)  # for what a page or the keeper waits for: is it there, which are there, delete
TRANSFER = Patience(2.0, 10.0, 2)  # for content


class Circuit:
    """A circuit breaker, shared by all threads of a process: a storage that gave no answer is left alone for PAUSE."""

    PAUSE = 5.0  # seconds

    def __init__(self) -> None:
        self._until: float | None = None  # by the monotonic clock; None: closed

    @property
    def is_open(self) -> bool:
        return self._until is not None and time.monotonic() < self._until

    def open(self, error: Exception) -> None:
        """The storage gave no answer."""
        if self._until is None:
            logger.warning("The storage gives no answer, and is left alone for %g s at a time: %s", self.PAUSE, error)
        self._until = time.monotonic() + self.PAUSE

    def close(self) -> None:
        """The storage answered."""
        if self._until is not None:
            self._until = None
            logger.warning("The storage answers again")


class Clients:
    """The clients of one storage, by patience and address. A forked child gets connections of its own."""

    def __init__(self, session: Any, config: Config, **options: Any) -> None:
        self._session, self._config, self._options = session, config, options
        self._made: dict[tuple[Patience, str], Any] = {}
        self._lock = threading.Lock()
        known = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _leave_connections(known))

    def get(self, patience: Patience, endpoint: str) -> Any:
        """The client with this patience for this address."""
        if (made := self._made.get((patience, endpoint))) is None:
            with self._lock:  # sessions are not safe to share while a client is made
                made = self._made.get((patience, endpoint)) or self._make(patience, endpoint)
                self._made[patience, endpoint] = made
        return made

    def _make(self, patience: Patience, endpoint: str) -> Any:
        waits = Config(
            connect_timeout=patience.connect,
            read_timeout=patience.read,
            retries={"mode": "standard", "total_max_attempts": patience.attempts},
            max_pool_connections=POOL,
            # Checksums in trailers are Amazon's own: older servers of others refuse them.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        return self._session.client("s3", endpoint_url=endpoint, config=self._config.merge(waits), **self._options)

    def leave_connections(self) -> None:
        """In a forked child: the open connections are the parent's."""
        self._lock = threading.Lock()
        for client in self._made.values():
            client.close()  # it connects again when it is used

    def forget(self) -> None:
        """Wipe the keys: whatever still refers to a client can sign nothing."""
        held = [client._request_signer._credentials for client in self._made.values()]  # noqa: SLF001
        for holder in (*held, self._session._session, self._session):  # noqa: SLF001  # boto3 forgets nothing
            if holder is not None:
                vars(holder).clear()
        self._made.clear()


def _leave_connections(known: "weakref.ref[Clients]") -> None:
    if (clients := known()) is not None:
        clients.leave_connections()
