"""The allowance: the seconds that one web request may wait for Redis, in all of its commands together.

A Redis that does not answer within a request's allowance is left alone for PAUSE by all requests of the process, so
that the next requests do not wait for it, too. Workers, the keeper and commands have no allowance: for them nothing
changes.

Each Redis has a circuit of its own. One that does not answer leaves the others of the same request some time.
"""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import redis
from redis.connection import AbstractConnection

logger = logging.getLogger("queueing")

# Seconds for which requests leave a Redis alone that did not answer in time. Then one of them asks.
PAUSE = 2.0
# Seconds that each Redis gets of a request, although another one has used up the allowance.
LEAST = 0.25


class LeftAlone(redis.RedisError):
    """Redis did not answer this request, or an earlier one, in time.

    No subclass of redis-py's ConnectionError and TimeoutError, because a client asks again after these.
    """


class Circuit:
    """A circuit breaker, shared by all threads of the process. While it is open, Redis is left alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next_try: float | None = None  # by the monotonic clock; None: the circuit is closed

    def admits(self) -> bool:
        """True if a request may ask Redis. While the circuit is open, one request in each PAUSE may."""
        with self._lock:
            now = time.monotonic()
            if self._next_try is None:
                return True
            if now < self._next_try:
                return False
            self._next_try = now + PAUSE
            return True

    def open(self) -> None:
        """Redis did not answer in time."""
        with self._lock:
            if self._next_try is None:
                logger.warning("Redis did not answer in time: requests leave it alone for %s s at a time", PAUSE)
            self._next_try = time.monotonic() + PAUSE

    def close(self) -> None:
        """Redis answered."""
        if self._next_try is not None:
            self._next_try = None
            logger.warning("Redis answers again")


circuit = Circuit()  # of REDIS_URL


@cache
def circuit_of(own: str) -> Circuit:
    """The circuit of an own address, as `clients.own_address` has it."""
    return Circuit() if own else circuit


class Allowance:
    """The seconds that are left to one request. They run while it waits for Redis, and at no other time."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds
        self._least = min(LEAST, seconds)
        self._spent: dict[Circuit, float] = {}  # seconds, by the Redis that this request may ask
        self._asked = circuit  # the one that was asked last

    def left_for(self, asked: Circuit) -> float:
        """The seconds that this request may still wait for that Redis."""
        least = self._least - self._spent[asked] if len(self._spent) > 1 else 0.0
        return max(self.left, least)

    @property
    def left_now(self) -> float:
        """The same, for the Redis that is asked now."""
        return max(self.left_for(self._asked) if self._spent else self.left, 0.0)

    def check(self, asked: Circuit) -> None:
        """Raises LeftAlone if this request may not wait for that Redis, or not any longer."""
        if asked not in self._spent:
            if not asked.admits():
                raise LeftAlone
            self._spent[asked] = 0.0
        self._asked = asked
        if self.left_for(asked) <= 0:
            raise LeftAlone

    @contextmanager
    def waiting(self, asked: Circuit) -> Iterator[float]:
        """Around each wait for a Redis; gives the seconds that it may take. Raises LeftAlone."""
        self.check(asked)
        began, answered = time.monotonic(), False
        try:
            yield self.left_for(asked)
            answered = True
        except redis.ResponseError:
            answered = True  # a refusal is an answer
            raise
        finally:
            seconds = time.monotonic() - began
            self.left -= seconds
            self._spent[asked] += seconds
            # A Redis that answers slowly is this request's loss alone.
            if self.left_for(asked) <= 0 and not answered:
                asked.open()


_current: ContextVar[Allowance | None] = ContextVar("allowance", default=None)


@contextmanager
def allow_waiting(seconds: float) -> Iterator[Allowance]:
    """Give the code inside an allowance. It holds for the clients of `clients.connection`."""
    allowance = Allowance(seconds)
    token = _current.set(allowance)
    try:
        yield allowance
    finally:
        _current.reset(token)


def seconds_left() -> float | None:
    """The seconds that the running request may still wait for Redis; None outside of requests."""
    allowance = _current.get()
    return None if allowance is None else allowance.left_now


class LimitedWaits(AbstractConnection):
    """A connection that waits within the allowance, if there is one: to connect, and for each answer.

    Sending needs no limit: a request's commands fit into the buffers of a connection.
    """

    circuit = circuit

    def _connect(self) -> socket.socket:
        allowance = _current.get()
        if allowance is None:
            return super()._connect()  # type: ignore[safe-super,no-any-return]  # the other base has it
        usual = self.socket_timeout, self.socket_connect_timeout
        with allowance.waiting(self.circuit) as seconds:
            self.socket_timeout = self.socket_connect_timeout = seconds  # the first one is for TLS
            try:
                connected: socket.socket = super()._connect()  # type: ignore[safe-super]
            finally:
                self.socket_timeout, self.socket_connect_timeout = usual
        connected.settimeout(self.socket_timeout)
        return connected

    def send_packed_command(self, *args: Any, **options: Any) -> None:
        """Send a command, unless nobody would await its answer."""
        allowance = _current.get()
        if allowance is not None:
            allowance.check(self.circuit)
        super().send_packed_command(*args, **options)

    def read_response(self, *args: Any, **options: Any) -> Any:
        """The answer to a command."""
        allowance = _current.get()
        if allowance is None:
            return super().read_response(*args, **options)
        try:
            return self._read_within(allowance, *args, **options)
        except LeftAlone:
            self.disconnect()  # a late answer would be taken for that of the next command on this connection
            raise

    def _read_within(self, allowance: Allowance, *args: Any, **options: Any) -> Any:
        with allowance.waiting(self.circuit) as seconds:
            try:
                response = super().read_response(*args, **options | {"timeout": seconds})
            except redis.ResponseError:
                self.circuit.close()  # a refusal is an answer
                raise
            self.circuit.close()
            return response


@cache
def limited(kind: type[AbstractConnection], asked: Circuit = circuit) -> type[AbstractConnection]:
    """The class of connection (TCP, TLS or Unix socket) with limited waits, for the Redis of this circuit."""
    return type(f"Limited{kind.__name__}", (LimitedWaits, kind), {"circuit": asked})
